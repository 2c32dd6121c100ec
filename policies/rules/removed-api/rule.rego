# METADATA
# title: Objects do not use removed API versions
# description: >-
#   The API server no longer knows the version, so the sync fails with everything in it.
# related_resources:
#   - ref: https://kubernetes.io/docs/reference/using-api/deprecation-guide/
#     description: Kubernetes' guide to deprecated APIs
# custom:
#   id: removed-api
#   severity: error
#   scope: object
#   kinds:
#     - {group: admissionregistration.k8s.io, kind: MutatingAdmissionPolicy}
#     - {group: admissionregistration.k8s.io, kind: MutatingAdmissionPolicyBinding}
#     - {group: admissionregistration.k8s.io, kind: MutatingWebhookConfiguration}
#     - {group: admissionregistration.k8s.io, kind: ValidatingAdmissionPolicy}
#     - {group: admissionregistration.k8s.io, kind: ValidatingAdmissionPolicyBinding}
#     - {group: admissionregistration.k8s.io, kind: ValidatingWebhookConfiguration}
#     - {group: apiextensions.k8s.io, kind: CustomResourceDefinition}
#     - {group: apiregistration.k8s.io, kind: APIService}
#     - {group: apps, kind: ControllerRevision}
#     - {group: apps, kind: DaemonSet}
#     - {group: apps, kind: Deployment}
#     - {group: apps, kind: ReplicaSet}
#     - {group: apps, kind: StatefulSet}
#     - {group: autoscaling, kind: HorizontalPodAutoscaler}
#     - {group: batch, kind: CronJob}
#     - {group: certificates.k8s.io, kind: CertificateSigningRequest}
#     - {group: certificates.k8s.io, kind: ClusterTrustBundle}
#     - {group: certificates.k8s.io, kind: PodCertificateRequest}
#     - {group: coordination.k8s.io, kind: Lease}
#     - {group: coordination.k8s.io, kind: LeaseCandidate}
#     - {group: discovery.k8s.io, kind: EndpointSlice}
#     - {group: events.k8s.io, kind: Event}
#     - {group: extensions, kind: DaemonSet}
#     - {group: extensions, kind: Deployment}
#     - {group: extensions, kind: Ingress}
#     - {group: extensions, kind: NetworkPolicy}
#     - {group: extensions, kind: PodSecurityPolicy}
#     - {group: extensions, kind: ReplicaSet}
#     - {group: flowcontrol.apiserver.k8s.io, kind: FlowSchema}
#     - {group: flowcontrol.apiserver.k8s.io, kind: PriorityLevelConfiguration}
#     - {group: networking.k8s.io, kind: IPAddress}
#     - {group: networking.k8s.io, kind: Ingress}
#     - {group: networking.k8s.io, kind: IngressClass}
#     - {group: networking.k8s.io, kind: ServiceCIDR}
#     - {group: node.k8s.io, kind: RuntimeClass}
#     - {group: policy, kind: PodDisruptionBudget}
#     - {group: policy, kind: PodSecurityPolicy}
#     - {group: rbac.authorization.k8s.io, kind: ClusterRole}
#     - {group: rbac.authorization.k8s.io, kind: ClusterRoleBinding}
#     - {group: rbac.authorization.k8s.io, kind: Role}
#     - {group: rbac.authorization.k8s.io, kind: RoleBinding}
#     - {group: resource.k8s.io, kind: DeviceClass}
#     - {group: resource.k8s.io, kind: DeviceTaintRule}
#     - {group: resource.k8s.io, kind: ResourceClaim}
#     - {group: resource.k8s.io, kind: ResourceClaimTemplate}
#     - {group: resource.k8s.io, kind: ResourcePoolStatusRequest}
#     - {group: resource.k8s.io, kind: ResourceSlice}
#     - {group: scheduling.k8s.io, kind: PriorityClass}
#     - {group: storage.k8s.io, kind: CSIDriver}
#     - {group: storage.k8s.io, kind: CSINode}
#     - {group: storage.k8s.io, kind: CSIStorageCapacity}
#     - {group: storage.k8s.io, kind: StorageClass}
#     - {group: storage.k8s.io, kind: VolumeAttachment}
#     - {group: storage.k8s.io, kind: VolumeAttributesClass}
#     - {group: storagemigration.k8s.io, kind: StorageVersionMigration}
#   parameters:
#     kubernetes:
#       description: >-
#         Major and minor version of the API server, 1.36; empty for the one that the table in policies/lib/api.rego was made
#         for. Derived from the pinned one.
#       type: string
#       pattern: "^([0-9]+[.][0-9]+)?$"
#       default: ""
#   git_only: The API server converts the object to its stored version before admission.
#   remedy: Write the object in the version that the message names. Fields may have moved.
package cartwright.rules.removed_api

import data.lib.api
import data.lib.report

violation contains report.at(input.review.object, ["apiVersion"], text) if {
	text := api.removed(input.review.object, input.parameters.kubernetes)
}
