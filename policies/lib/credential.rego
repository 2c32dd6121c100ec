# METADATA
# title: Credentials in texts
# description: >-
#   Recognises credentials by the form that their issuers gave them, and passwords by the name that they are given.
package lib.credential

# METADATA
# description: What a text holds, in words such as `a private key`; undefined where nothing is recognised.
in_text(text) := found[0] if {
	is_string(text)
	found := [form.name | some form in _forms; regex.match(form.pattern, text)]
	count(found) > 0
} else := "a password by its name" if {
	is_string(text)
	some line in regex.find_all_string_submatch_n(_assignment, text, -1)
	is_value(line[2])
}

# METADATA
# description: >-
#   True if a value under this name is a credential: the name ends in password, token, secret, key and the like, and the
#   value is neither a reference (`$(NAME)`, `/run/secrets/x`) nor a number, a truth value or nothing.
is_named(name, value) if {
	is_string(name)
	is_string(value)
	regex.match(_name, name)
	is_value(value)
}

# METADATA
# description: True for a text that can be a secret value, and does not only say where one is.
is_value(value) if {
	trimmed := trim(value, " \t\r\n\"'")
	trimmed != ""
	not regex.match(_no_secret, trimmed)
}

_words := `(?:password|passwd|passphrase|secret|token|api[_-]?key|private[_-]?key|access[_-]?key|secret[_-]?key|credentials?)`

_name := sprintf(`(?i)(?:^|[a-z0-9_.-])%s$`, [_words])

# A line of a file: name = value, name: value, "name": "value".
_assignment := sprintf(`(?im)^[ \t]*(?:export[ \t]+)?["']?((?:[a-z0-9_.-]*[_.-])?%s)["']?[ \t]*[:=][ \t]*([^\r\n#;,]+)`, [_words])

_no_secret := concat("", [
	# A reference to a variable, a template, a place: $(X), ${X}, {{ x }}, <x>, %(x)s, /path, file:, ./path.
	`(?i)^(?:[$<%/~{\[|>&*!]|\./|file:|vault:|arn:|env:`,
	# Something that can't be a secret.
	`|(?:true|false|yes|no|on|off|none|null|nil|optional|required|disabled|enabled|[0-9.]+)$)`,
])

_forms := [
	{"name": "a private key", "pattern": `-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----`},
	{"name": "an access key of AWS", "pattern": `\b(?:AKIA|ASIA)[A-Z0-9]{16}\b`},
	{"name": "a token of GitHub", "pattern": `\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})`},
	{"name": "a token of GitLab", "pattern": `\bgl(?:pat|dt|rt|ptt|cbt)-[A-Za-z0-9_-]{20,}`},
	{"name": "a token of Slack", "pattern": `\bxox[abeoprs]-[A-Za-z0-9-]{10,}`},
	{"name": "a webhook of Slack", "pattern": `https://hooks\.slack\.com/services/T[A-Za-z0-9_]+/B[A-Za-z0-9_]+/[A-Za-z0-9]+`},
	{"name": "an API key of Google", "pattern": `\bAIza[0-9A-Za-z_-]{35}`},
	{"name": "a key of Stripe", "pattern": `\b[rs]k_live_[0-9A-Za-z]{16,}`},
	{"name": "a token of npm", "pattern": `\bnpm_[A-Za-z0-9]{36}`},
	{"name": "a token of PyPI", "pattern": `\bpypi-AgE[A-Za-z0-9_-]{20,}`},
	{"name": "a JSON Web Token", "pattern": `\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}`},
	{"name": "a URL with a password", "pattern": `[a-zA-Z][a-zA-Z0-9+.-]*://[^/\s:@"']*:[^/\s:@"'$<{%][^/\s@"']*@`},
]
