# METADATA
# title: Versions of Kubernetes' API that end
# description: >-
#   Which versions of which kinds are deprecated, and which are gone, by Kubernetes' minor version; from the lifecycle that
#   k8s.io/api 0.36.3 states of each type, and from the deprecation guide for types that have left it.
# related_resources:
#   - ref: https://kubernetes.io/docs/reference/using-api/deprecation-guide/
package lib.api

# METADATA
# description: The version of Kubernetes that the table was made for.
as_of := "1.36"

# METADATA
# description: >-
#   What to say of the API version of an object that `kubernetes` no longer serves; undefined for others. An empty
#   `kubernetes` is the one that the table was made for.
removed(resource, kubernetes) := text if {
	[_, end, instead] := lifecycle[resource.apiVersion][resource.kind]
	_at_least(kubernetes, end)
	text := sprintf("%s is gone since Kubernetes %s; %s", [resource.apiVersion, end, _instead(instead)])
}

# METADATA
# description: >-
#   What to say of the API version of an object that `kubernetes` still serves and that is deprecated; undefined for others.
deprecated(resource, kubernetes) := text if {
	[since, end, instead] := lifecycle[resource.apiVersion][resource.kind]
	_at_least(kubernetes, since)
	not _at_least(kubernetes, end)
	text := sprintf("%s is deprecated since Kubernetes %s%s; %s", [
		resource.apiVersion,
		since,
		_until(end),
		_instead(instead),
	])
}

_instead("") := "it has no successor yet: do without"

_instead(instead) := sprintf("use %s", [instead]) if instead != ""

_until("") := ""

_until(end) := sprintf(" and gone with %s", [end]) if end != ""

_at_least(version, wanted) if {
	wanted != ""
	_parts(_known(version)) >= _parts(wanted)
}

_known("") := as_of

_known(version) := version if version != ""

_parts(version) := [to_number(part) | some part in split(version, ".")]

# METADATA
# description: By API version and kind, {deprecated since, gone since, use instead}; empty where there is none.
lifecycle := {
	"admissionregistration.k8s.io/v1alpha1": {
		"MutatingAdmissionPolicy": ["1.35", "1.38", "admissionregistration.k8s.io/v1"],
		"MutatingAdmissionPolicyBinding": ["1.35", "1.38", "admissionregistration.k8s.io/v1"],
		"ValidatingAdmissionPolicy": ["1.29", "1.32", "admissionregistration.k8s.io/v1"],
		"ValidatingAdmissionPolicyBinding": ["1.29", "1.32", "admissionregistration.k8s.io/v1"],
	},
	"admissionregistration.k8s.io/v1beta1": {
		"MutatingAdmissionPolicy": ["1.37", "1.40", "admissionregistration.k8s.io/v1"],
		"MutatingAdmissionPolicyBinding": ["1.37", "1.40", "admissionregistration.k8s.io/v1"],
		"MutatingWebhookConfiguration": ["1.16", "1.22", "admissionregistration.k8s.io/v1"],
		"ValidatingAdmissionPolicy": ["1.31", "1.34", "admissionregistration.k8s.io/v1"],
		"ValidatingAdmissionPolicyBinding": ["1.31", "1.34", "admissionregistration.k8s.io/v1"],
		"ValidatingWebhookConfiguration": ["1.16", "1.22", "admissionregistration.k8s.io/v1"],
	},
	"apiextensions.k8s.io/v1beta1": {
		"CustomResourceDefinition": ["1.16", "1.22", "apiextensions.k8s.io/v1"],
	},
	"apiregistration.k8s.io/v1beta1": {
		"APIService": ["1.19", "1.22", "apiregistration.k8s.io/v1"],
	},
	"apps/v1beta1": {
		"ControllerRevision": ["1.8", "1.16", "apps/v1"],
		"Deployment": ["1.8", "1.16", "apps/v1"],
		"StatefulSet": ["1.8", "1.16", "apps/v1"],
	},
	"apps/v1beta2": {
		"ControllerRevision": ["1.9", "1.16", "apps/v1"],
		"DaemonSet": ["1.9", "1.16", "apps/v1"],
		"Deployment": ["1.9", "1.16", "apps/v1"],
		"ReplicaSet": ["1.9", "1.16", "apps/v1"],
		"StatefulSet": ["1.9", "1.16", "apps/v1"],
	},
	"autoscaling/v2beta1": {
		"HorizontalPodAutoscaler": ["1.22", "1.25", "autoscaling/v2"],
	},
	"autoscaling/v2beta2": {
		"HorizontalPodAutoscaler": ["1.23", "1.26", "autoscaling/v2"],
	},
	"batch/v1beta1": {
		"CronJob": ["1.21", "1.25", "batch/v1"],
	},
	"certificates.k8s.io/v1alpha1": {
		"ClusterTrustBundle": ["1.34", "1.37", ""],
	},
	"certificates.k8s.io/v1beta1": {
		"CertificateSigningRequest": ["1.19", "1.22", "certificates.k8s.io/v1"],
		"ClusterTrustBundle": ["1.37", "1.40", ""],
		"PodCertificateRequest": ["1.38", "1.41", ""],
	},
	"coordination.k8s.io/v1alpha2": {
		"LeaseCandidate": ["1.35", "1.38", ""],
	},
	"coordination.k8s.io/v1beta1": {
		"Lease": ["1.19", "1.22", "coordination.k8s.io/v1"],
		"LeaseCandidate": ["1.36", "1.39", ""],
	},
	"discovery.k8s.io/v1beta1": {
		"EndpointSlice": ["1.21", "1.25", "discovery.k8s.io/v1"],
	},
	"events.k8s.io/v1beta1": {
		"Event": ["1.22", "1.25", "events.k8s.io/v1"],
	},
	"extensions/v1beta1": {
		"DaemonSet": ["1.8", "1.16", "apps/v1"],
		"Deployment": ["1.8", "1.16", "apps/v1"],
		"Ingress": ["1.14", "1.22", "networking.k8s.io/v1"],
		"NetworkPolicy": ["1.9", "1.16", "networking.k8s.io/v1"],
		"PodSecurityPolicy": ["1.11", "1.16", "Pod Security admission"],
		"ReplicaSet": ["1.8", "1.16", "apps/v1"],
	},
	"flowcontrol.apiserver.k8s.io/v1beta1": {
		"FlowSchema": ["1.23", "1.26", "flowcontrol.apiserver.k8s.io/v1beta3"],
		"PriorityLevelConfiguration": ["1.23", "1.26", "flowcontrol.apiserver.k8s.io/v1beta3"],
	},
	"flowcontrol.apiserver.k8s.io/v1beta2": {
		"FlowSchema": ["1.26", "1.29", "flowcontrol.apiserver.k8s.io/v1beta3"],
		"PriorityLevelConfiguration": ["1.26", "1.29", "flowcontrol.apiserver.k8s.io/v1beta3"],
	},
	"flowcontrol.apiserver.k8s.io/v1beta3": {
		"FlowSchema": ["1.29", "1.32", "flowcontrol.apiserver.k8s.io/v1"],
		"PriorityLevelConfiguration": ["1.29", "1.32", "flowcontrol.apiserver.k8s.io/v1"],
	},
	"networking.k8s.io/v1beta1": {
		"IPAddress": ["1.34", "1.37", "networking.k8s.io/v1"],
		"Ingress": ["1.19", "1.22", "networking.k8s.io/v1"],
		"IngressClass": ["1.19", "1.22", "networking.k8s.io/v1"],
		"ServiceCIDR": ["1.34", "1.37", "networking.k8s.io/v1"],
	},
	"node.k8s.io/v1beta1": {
		"RuntimeClass": ["1.22", "1.25", "node.k8s.io/v1"],
	},
	"policy/v1beta1": {
		"PodDisruptionBudget": ["1.21", "1.25", "policy/v1"],
		"PodSecurityPolicy": ["1.21", "1.25", "Pod Security admission"],
	},
	"rbac.authorization.k8s.io/v1beta1": {
		"ClusterRole": ["1.17", "1.22", "rbac.authorization.k8s.io/v1"],
		"ClusterRoleBinding": ["1.17", "1.22", "rbac.authorization.k8s.io/v1"],
		"Role": ["1.17", "1.22", "rbac.authorization.k8s.io/v1"],
		"RoleBinding": ["1.17", "1.22", "rbac.authorization.k8s.io/v1"],
	},
	"resource.k8s.io/v1alpha3": {
		"DeviceTaintRule": ["1.36", "1.39", ""],
		"ResourcePoolStatusRequest": ["1.39", "1.42", ""],
	},
	"resource.k8s.io/v1beta1": {
		"DeviceClass": ["1.35", "1.38", "resource.k8s.io/v1"],
		"ResourceClaim": ["1.35", "1.38", "resource.k8s.io/v1"],
		"ResourceClaimTemplate": ["1.35", "1.38", "resource.k8s.io/v1"],
		"ResourceSlice": ["1.35", "1.38", "resource.k8s.io/v1"],
	},
	"resource.k8s.io/v1beta2": {
		"DeviceClass": ["1.36", "1.39", "resource.k8s.io/v1"],
		"DeviceTaintRule": ["1.39", "1.42", ""],
		"ResourceClaim": ["1.36", "1.39", "resource.k8s.io/v1"],
		"ResourceClaimTemplate": ["1.36", "1.39", "resource.k8s.io/v1"],
		"ResourceSlice": ["1.36", "1.39", "resource.k8s.io/v1"],
	},
	"scheduling.k8s.io/v1beta1": {
		"PriorityClass": ["1.14", "1.22", "scheduling.k8s.io/v1"],
	},
	"storage.k8s.io/v1alpha1": {
		"CSIStorageCapacity": ["1.21", "1.24", "storage.k8s.io/v1beta1"],
		"VolumeAttachment": ["1.21", "1.24", "storage.k8s.io/v1"],
		"VolumeAttributesClass": ["1.32", "1.35", "storage.k8s.io/v1"],
	},
	"storage.k8s.io/v1beta1": {
		"CSIDriver": ["1.19", "1.22", "storage.k8s.io/v1"],
		"CSINode": ["1.17", "1.22", "storage.k8s.io/v1"],
		"CSIStorageCapacity": ["1.24", "1.27", "storage.k8s.io/v1"],
		"StorageClass": ["1.19", "1.22", "storage.k8s.io/v1"],
		"VolumeAttachment": ["1.19", "1.22", "storage.k8s.io/v1"],
		"VolumeAttributesClass": ["1.34", "1.37", "storage.k8s.io/v1"],
	},
	"storagemigration.k8s.io/v1beta1": {
		"StorageVersionMigration": ["1.38", "1.41", ""],
	},
	"v1": {
		"ComponentStatus": ["1.19", "", ""],
		"Endpoints": ["1.33", "", "discovery.k8s.io/v1 (EndpointSlice)"],
	},
}
