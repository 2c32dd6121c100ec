# METADATA
# title: What all clients of a PostgreSQL server may open at once is what it takes
# description: >-
#   Each pod brings a pool of connections. A limit that fits today is exceeded when every autoscaler is at its maximum and
#   a rollout adds its pods: then the server refuses whoever comes last, in the hour with the most load.
# related_resources:
#   - ref: https://www.postgresql.org/docs/current/runtime-config-connection.html
#     description: PostgreSQL on max_connections
# custom:
#   id: connections-fit
#   severity: error
#   scope: environment
#   kinds: [{group: "", kind: ConfigMap}]
#   parameters:
#     pool:
#       description: >-
#         How many connections a pod may open that states no DATABASE_POOL_SIZE and DATABASE_POOL_OVERFLOW.
#       type: integer
#       minimum: 1
#       default: 10
#   git_only: >-
#     A Job that has ended stays in a cluster for a while and would count; there the server itself refuses what is too much.
#   example: {bad: autoscaled, good: fits}
#   reads: [pod-carrying, ConfigMap, Service, HorizontalPodAutoscaler.autoscaling, Deployment.extensions, ReplicaSet.extensions]
#   remedy: >-
#     Raise max_connections in postgresql.conf, as far as the server's memory allows, or lower DATABASE_POOL_SIZE,
#     DATABASE_POOL_OVERFLOW or maxReplicas of a client.
package cartwright.rules.connections_fit

import data.lib.client
import data.lib.demand
import data.lib.inventory
import data.lib.reference
import data.lib.report
import data.lib.workload

violation contains report.at(input.review.object, ["data", _file, "max_connections"], text) if {
	conf := input.review.object.data[_file]
	is_string(conf)
	reserved := _number(conf, "superuser_reserved_connections", 3) + _number(conf, "reserved_connections", 0)
	takes := _number(conf, "max_connections", 100) - reserved
	asks := sum([needed | some [_, needed] in _clients])
	asks > takes
	text := sprintf(
		"%v lets clients have %v connections, but these may open %v at once: %v; raise max_connections to %v, or lower their pools or maxReplicas",
		[_file, takes, asks, concat(", ", sort([sprintf("%v %v", [name, needed]) | some [name, needed] in _clients])), asks + reserved],
	)
}

_file := "postgresql.conf"

# The last line of a name counts, as it does for PostgreSQL; where there is none, its own default.
_number(conf, name, otherwise) := number if {
	pattern := sprintf(`(?mi)^[ \t]*%s[ \t=]+'?([0-9]+)`, [name])
	lines := regex.find_all_string_submatch_n(pattern, conf, -1)
	number := to_number(lines[count(lines) - 1][1])
} else := otherwise

# The servers that read this file, under each name that they are reached by.
_hosts := {host |
	some server in inventory.beside(input.review.object, "apps", "StatefulSet")
	some read in reference.config_maps(server)
	read.name == input.review.object.metadata.name
	read.key in {"", _file}
	some host in client.hosts(server)
}

_clients := [[report.name(found), needed] |
	some found in inventory.pods
	found.kind in {"Deployment", "StatefulSet", "Job", "CronJob"}
	some container in workload.long_running(found)
	client.host(found, container) in _hosts
	needed := demand.pods_at_once(found, 1) * _of_pod(found, container)
]

# A Job works through one connection; it has no use for a pool.
_of_pod(found, _) := 1 if found.kind in {"Job", "CronJob"}

_of_pod(found, container) := client.pool(found, container, input.parameters.pool) if {
	not found.kind in {"Job", "CronJob"}
}
