"""For every alert: series on which it fires, and series close to those on which it must not.

Series are in the notation of ``promtool test rules``: ``0+600x60`` is a counter that grows by 600 a minute for an hour.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    """What Prometheus has scraped, and when the alert is to fire on it."""

    rules: str
    """Name of the PrometheusRule."""
    alert: str
    about: str
    series: Mapping[str, str]
    silent: tuple[str, ...]
    """Moments at which it does not fire."""
    firing: tuple[str, ...] = ()
    """Moments at which it fires."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """The firing alert's labels beside those of the rule."""

    @property
    def name(self) -> str:
        """How a test of it is called."""
        return f"{self.rules}: {self.alert}: {self.about}"


def cases() -> Iterator[Case]:
    """Those of every alert in the repository."""
    for service in ("catalog", "gateway", "orders"):
        yield from _of_a_service(service)
    for service in ("catalog", "orders"):
        yield from _of_a_database_pool(service)
    for service in ("gateway", "orders"):
        yield from _of_upstreams(service)
    yield from (*_of_the_shop(), *_of_the_broker(), *_of_prometheus(), *_of_argocd())


def _of_a_service(job: str) -> Iterator[Case]:
    def requests(failing: str) -> dict[str, str]:
        return {
            f'http_requests_total{{job="{job}",route="/products",status="200"}}': "0+600x60",
            f'http_requests_total{{job="{job}",route="/products",status="500"}}': failing,
            # Probes are many and always quick: they must not hide that customers' requests fail.
            f'http_requests_total{{job="{job}",route="/livez",status="200"}}': "0+100000x60",
        }

    def durations(within_a_second: str) -> dict[str, str]:
        bucket = f'http_request_duration_seconds_bucket{{job="{job}",route="/products",le='
        probes = f'http_request_duration_seconds_bucket{{job="{job}",route="/readyz",le='
        return {
            f'{bucket}"1"}}': within_a_second,
            f'{bucket}"2"}}': "0+1000x60",
            f'{bucket}"+Inf"}}': "0+1000x60",
            **{f'{probes}"{bound}"}}': "0+1000000x60" for bound in ("1", "2", "+Inf")},
        }

    def up(first: str, second: str) -> dict[str, str]:
        return {f'up{{job="{job}",pod="a"}}': first, f'up{{job="{job}",pod="b"}}': second}

    ratio, slow, gone = "ServiceErrorRatioHigh", "ServiceSlow", "ServiceDown"
    yield Case(job, ratio, "2 % of requests fail", requests("0+12x60"), silent=("4m",), firing=("20m",))
    yield Case(job, ratio, "half a percent fail", requests("0+3x60"), silent=("20m",))
    yield Case(job, slow, "2 % take longer than a second", durations("0+980x60"), silent=("9m",), firing=("20m",))
    yield Case(job, slow, "half a percent take longer", durations("0+995x60"), silent=("20m",))
    yield Case(job, gone, "both pods for two minutes", up("1x10 0x20", "1x10 0x20"), ("10m", "12m"), ("13m",))
    yield Case(job, gone, "one pod of two", up("0x30", "1x30"), silent=("20m",))
    yield Case(
        job,
        gone,
        "no pod is known",
        {'up{job="another"}': "1x30"},
        silent=("1m",),
        firing=("5m",),
        labels={"job": job},
    )


def _of_a_database_pool(job: str) -> Iterator[Case]:
    def in_use(values: str) -> dict[str, str]:
        return {f'database_pool_connections{{job="{job}",pod="a",state="in_use"}}': values}

    alert = "DatabasePoolExhausted"
    yield Case(job, alert, "five in use", in_use("4x10 5x20"), ("10m", "15m"), ("16m",), labels={"pod": "a"})
    yield Case(job, alert, "four in use", in_use("4x30"), silent=("20m",))


def _of_upstreams(job: str) -> Iterator[Case]:
    def calls(outcome: str, values: str) -> dict[str, str]:
        total = f'http_client_requests_total{{job="{job}",upstream="catalog",outcome='
        return {f'{total}"2xx"}}': "0+90x60", f'{total}"{outcome}"}}': values}

    alert = "UpstreamFailing"
    to = {"upstream": "catalog"}
    yield Case(job, alert, "a tenth of the calls time out", calls("timeout", "0+10x60"), ("4m",), ("20m",), to)
    yield Case(job, alert, "a tenth of the answers are 5xx", calls("5xx", "0+10x60"), ("4m",), ("20m",), to)
    yield Case(job, alert, "a tenth ask for what there is not", calls("4xx", "0+10x60"), silent=("20m",))
    yield Case(job, alert, "two in a hundred time out", calls("timeout", "0+2x60"), silent=("20m",))


def _alarm(memory: str, disk: str) -> dict[str, str]:
    return {
        'rabbitmq_alarms_memory_used_watermark{job="rabbitmq",pod="rabbitmq-0"}': memory,
        'rabbitmq_alarms_free_disk_space_watermark{job="rabbitmq",pod="rabbitmq-0"}': disk,
    }


def _queue(metric: str, queue: str, values: str) -> dict[str, str]:
    return {f'{metric}{{job="rabbitmq",pod="rabbitmq-0",queue="{queue}"}}': values}


def _argocd(sync: str, health: str) -> dict[str, str]:
    return {f'argocd_app_info{{name="prod-shop-orders",sync_status="{sync}",health_status="{health}"}}': "1x40"}


def _operator(metric: str, labels: str, values: str) -> dict[str, str]:
    return {f'prometheus_operator_{metric}{{job="prometheus-operator",{labels}}}': values}


_POD = {"pod": "rabbitmq-0"}
_GROUP = {"job": "prometheus", "rule_group": "g"}
_FAILURES = 'prometheus_rule_evaluation_failures_total{job="prometheus",rule_group="g"}'
_RELOADED = 'prometheus_config_last_reload_successful{job="prometheus"}'
_TARGET = {"job": "orders", "pod": "a"}
_SHORT = 'stock_pieces_short_total{job="catalog"}'
_DECISIONS = 'rate_limit_decisions_total{job="gateway",decision='
_OLDEST = 'outbox_oldest_event_seconds{job="orders",pod="a"}'


def _of_the_shop() -> Iterator[Case]:
    alert = "StockOversold"
    yield Case("catalog", alert, "two pieces short", {_SHORT: "0x10 2x50"}, silent=("9m",), firing=("13m",))
    yield Case("catalog", alert, "half an hour ago", {_SHORT: "0x10 2x50"}, silent=("40m",))
    alert = "RateLimiterFailsOpen"
    away, refused = {_DECISIONS + '"failed_open"}': "0+5x30"}, {_DECISIONS + '"refused"}': "0+5x30"}
    yield Case("gateway", alert, "Redis is away", away, silent=("4m",), firing=("10m",))
    yield Case("gateway", alert, "requests are refused", refused, silent=("10m",))
    alert = "EventsNotPublished"
    yield Case("orders", alert, "the oldest waits on", {_OLDEST: "0+60x30"}, silent=("7m",), firing=("9m",))
    yield Case("orders", alert, "each waits two minutes", {_OLDEST: "120x30"}, silent=("20m",))


def _of_the_broker() -> Iterator[Case]:
    alert = "RabbitmqPublishersBlocked"
    yield Case("rabbitmq", alert, "memory", _alarm("0x5 1x20", "0x25"), ("5m", "7m"), ("8m",), _POD)
    yield Case("rabbitmq", alert, "disk", _alarm("0x25", "0x5 1x20"), ("5m", "7m"), ("8m",), _POD)
    yield Case("rabbitmq", alert, "neither", _alarm("0x25", "0x25"), silent=("20m",))
    alert, metric = "MessagesDeadLettered", "rabbitmq_queue_messages"
    dead, live = {"queue": "stock.dead"}, {"queue": "stock"}
    yield Case("rabbitmq", alert, "one", _queue(metric, "stock.dead", "0x5 1x20"), ("5m",), ("7m",), dead)
    yield Case("rabbitmq", alert, "one in a live queue", _queue(metric, "stock", "1x25"), silent=("20m",))
    alert, metric = "MessagesWaiting", "rabbitmq_queue_messages_ready"
    yield Case("rabbitmq", alert, "1001", _queue(metric, "stock", "0x5 1001x30"), ("15m",), ("16m",), live)
    yield Case("rabbitmq", alert, "1000", _queue(metric, "stock", "1000x30"), silent=("30m",))
    yield Case("rabbitmq", alert, "1001 dead letters", _queue(metric, "stock.dead", "1001x30"), silent=("30m",))


def _of_prometheus() -> Iterator[Case]:
    alert, name = "PrometheusTargetDown", 'up{job="orders",pod="a"}'
    yield Case("prometheus", alert, "for five minutes", {name: "1x5 0x20"}, ("6m", "10m"), ("11m",), _TARGET)
    yield Case("prometheus", alert, "for two scrapes", {name: "1x5 0x2 1x20"}, silent=("7m", "11m", "20m"))
    alert = "PrometheusRuleFailures"
    yield Case("prometheus", alert, "at every evaluation", {_FAILURES: "0+1x40"}, ("14m",), ("20m",), _GROUP)
    yield Case("prometheus", alert, "once", {_FAILURES: "0x5 1x40"}, silent=("10m", "30m"))
    alert, job = "PrometheusConfigReloadFailed", {"job": "prometheus"}
    yield Case("prometheus", alert, "refused for good", {_RELOADED: "1x5 0x30"}, ("11m", "19m"), ("25m",), job)
    yield Case("prometheus", alert, "refused, then taken", {_RELOADED: "1x5 0x3 1x30"}, silent=("25m",))
    errors = "reconcile_errors_total", 'controller="prometheus"'
    alert, labels = "PrometheusOperatorReconcileErrors", {"controller": "prometheus"}
    yield Case("prometheus-operator", alert, "always", _operator(*errors, "0+1x30"), ("9m",), ("15m",), labels)
    yield Case("prometheus-operator", alert, "once", _operator(*errors, "0x5 1x30"), silent=("10m", "30m"))
    alert, labels = "PrometheusOperatorRejectedResources", {"resource": "PrometheusRule"}
    one = _operator("managed_resources", 'resource="PrometheusRule",state="rejected"', "0x5 1x30")
    all_well = _operator("managed_resources", 'resource="PrometheusRule",state="selected"', "5x30")
    yield Case("prometheus-operator", alert, "one rule", one, ("10m",), ("11m",), labels)
    yield Case("prometheus-operator", alert, "all selected", all_well, silent=("20m",))


def _of_argocd() -> Iterator[Case]:
    for alert, sync, health in (
        ("ArgoCDApplicationOutOfSync", "OutOfSync", "Healthy"),
        ("ArgoCDApplicationDegraded", "Synced", "Degraded"),
        ("ArgoCDApplicationDegraded", "OutOfSync", "Missing"),
    ):
        labels = {"name": "prod-shop-orders", "sync_status": sync, "health_status": health}
        yield Case("prometheus", alert, f"{sync} and {health}", _argocd(sync, health), ("14m",), ("15m",), labels)
    for alert, sync, health in (
        ("ArgoCDApplicationOutOfSync", "Synced", "Degraded"),
        ("ArgoCDApplicationDegraded", "OutOfSync", "Progressing"),
    ):
        yield Case("prometheus", alert, f"{sync} and {health}", _argocd(sync, health), silent=("30m",))
