package lib.credential_test

import data.lib.credential

# Put together here, so that no scanner takes a line of this file for a credential.
_long(start, size) := concat("", [start, concat("", ["a" | some _ in numbers.range(1, size)])])

test_credentials_by_their_form if {
	forms := {
		concat("", ["-----BEGIN ", "RSA PRIVATE KEY-----"]): "a private key",
		concat("", ["-----BEGIN ", "PRIVATE KEY-----"]): "a private key",
		concat("", ["AK", "IAABCDEFGHIJKLMNOP"]): "an access key of AWS",
		_long("ghp_", 36): "a token of GitHub",
		_long("github_pat_", 30): "a token of GitHub",
		_long("glpat-", 20): "a token of GitLab",
		_long("xoxb-", 12): "a token of Slack",
		"https://hooks.slack.com/services/T0/B0/x": "a webhook of Slack",
		_long("AIza", 35): "an API key of Google",
		_long("sk_live_", 16): "a key of Stripe",
		_long("npm_", 36): "a token of npm",
		_long("pypi-AgE", 20): "a token of PyPI",
		concat(".", [_long("eyJ", 10), _long("eyJ", 10), _long("", 10)]): "a JSON Web Token",
		"postgresql://catalog:hunter2@postgresql.data.svc/catalog": "a URL with a password",
		"redis://:hunter2@redis.data.svc": "a URL with a password",
	}
	every text, name in forms {
		credential.in_text(text) == name
		credential.in_text(sprintf("first line\nvalue is %s\n", [text])) == name
	}
}

test_passwords_by_their_name_in_a_file if {
	every text in [
		"password = hunter2",
		"host: x\n  db_password: 'hunter2'\n",
		"{\n  \"apiKey\": \"hunter2\"\n}",
		"export ADMIN_TOKEN=hunter2",
		"spring.datasource.password=hunter2",
	] {
		credential.in_text(text) == "a password by its name"
	}
}

test_texts_without_credentials if {
	every text in [
		"",
		"LOG_LEVEL=info",
		"password_encryption = scram-sha-256",
		"password = ${DATABASE_PASSWORD}",
		"password: {{ .password }}",
		"password=$(cat /run/secrets/password)",
		"password: ''",
		"password:",
		"token: true",
		"max_token: 4096",
		"passwordFile: /run/secrets/password",
		"# password = hunter2",
		"postgresql://catalog@postgresql.data.svc:5432/catalog",
		"postgresql://catalog:$(PASSWORD)@postgresql.data.svc/catalog",
		"http://example.org:8080/path@2x",
		"-----BEGIN CERTIFICATE-----",
		5,
		null,
	] {
		not _found(text)
	}
}

_found(text) if credential.in_text(text)

test_values_by_the_name_they_are_given if {
	every name in ["PASSWORD", "DATABASE_PASSWORD", "apiKey", "api-key", "AWS_SECRET_ACCESS_KEY", "auth.token"] {
		credential.is_named(name, "hunter2")
		not credential.is_named(name, "/run/secrets/x")
		not credential.is_named(name, "$(OTHER)")
		not credential.is_named(name, "true")
		not credential.is_named(name, "")
		not credential.is_named(name, null)
	}
	every name in ["PASSWORD_FILE", "TOKEN_COUNT", "SECRET_NAME", "KEYBOARD", "keys", 5] {
		not credential.is_named(name, "hunter2")
	}
}
