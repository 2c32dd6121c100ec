package lib.secret_source_test

import data.lib.secret_source

_inventory := {"namespace": {"shop": {
	"v1": {"Secret": {
		"written": {"data": {"a": "x"}, "stringData": {"b": "y"}},
		"filled": {"data": null},
	}},
	"bitnami.com/v1alpha1": {"SealedSecret": {"sealed": {"spec": {"encryptedData": {"a": "x"}}}}},
	"external-secrets.io/v1": {"ExternalSecret": {
		"external": {"metadata": {"name": "external"}, "spec": {"data": [{"secretKey": "a"}]}},
		"all": {"metadata": {"name": "all"}, "spec": {"target": {"name": "renamed"}, "dataFrom": [{}]}},
		"made": {"metadata": {"name": "made"}, "spec": {"target": {"template": {"data": {"b": "{{ .a }}"}}}}},
	}},
	"cert-manager.io/v1": {"Certificate": {"shop": {"spec": {"secretName": "issued"}}}},
}}}

_keys(name) := found if {
	found := secret_source.keys({"metadata": {"name": "x", "namespace": "shop"}}, name) with data.inventory as _inventory
}

test_each_source_brings_its_keys if {
	_keys("written") == [{"a", "b"}]
	_keys("filled") == [{"*"}]
	_keys("sealed") == [{"a"}]
	_keys("external") == [{"a"}]
	_keys("renamed") == [{"*"}]
	_keys("made") == [{"b"}]
	_keys("issued") == [{"ca.crt", "tls.crt", "tls.key"}]
}

test_nothing_brings_what_nobody_makes if {
	_keys("all") == []
	_keys("missing") == []
	_keys(null) == []
}
