# METADATA
# title: Where Secrets come from
# description: >-
#   The objects that make a Secret: itself, without content where a secret store fills it, or one of the kinds from which
#   an operator makes it.
# related_resources:
#   - ref: https://external-secrets.io/latest/api/externalsecret/
#   - ref: https://cert-manager.io/docs/usage/certificate/
package lib.secret_source

import data.lib.inventory

# METADATA
# description: >-
#   The keys that each object beside `resource` brings which makes a Secret of that name, as a set; `*` in it stands for
#   keys that are not known before the Secret is filled.
keys(resource, name) := array.concat(
	array.concat(_written(resource, name), _sealed(resource, name)),
	array.concat(_external(resource, name), _issued(resource, name)),
)

_written(resource, name) := [found |
	secret := inventory.named_beside(resource, "", "Secret", name)
	found := _or_unknown({key |
		some field in ["data", "stringData"]
		some key, _ in secret[field]
	})
]

_sealed(resource, name) := [found |
	sealed := inventory.named_beside(resource, "bitnami.com", "SealedSecret", name)
	found := _or_unknown({key | some key, _ in sealed.spec.encryptedData})
]

_external(resource, name) := [found |
	some external in inventory.beside(resource, "external-secrets.io", "ExternalSecret")
	_target(external) == name
	found := ({item.secretKey | some item in external.spec.data} | {key | some key, _ in external.spec.target.template.data}) | {"*" | some _ in external.spec.dataFrom}
]

_target(external) := name if {
	name := external.spec.target.name
	is_string(name)
} else := external.metadata.name

_issued(resource, name) := [{"ca.crt", "tls.crt", "tls.key"} |
	some certificate in inventory.beside(resource, "cert-manager.io", "Certificate")
	certificate.spec.secretName == name
]

_or_unknown(found) := found if {
	count(found) > 0
} else := {"*"}
