#!/usr/bin/env python3
"""The Grafana dashboards of the chart, written by this file: edit here, then run it.

  dashboards.py           writes deploy/helm/signalbox/files/dashboards/*.json
  dashboards.py --check   fails where a file differs from what would be written
"""
import json
import os
import sys

from grafana import dashboard, panel, stat, steps, variable

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../deploy/helm/signalbox/files/dashboards')
RATE = '[$__rate_interval]'
WHO = '{{process}} {{pod}} {{instance}}'

NAMESPACE = variable('namespace', 'Namespace', 'label_values(signalbox_host_build_info, namespace)')
POD = variable('pod', 'Pod', 'label_values(signalbox_host_build_info{namespace=~"$namespace"}, pod)')
MODEL = variable('model', 'Model', 'label_values(signalbox_aggregator_endpoint_availability{namespace=~"$namespace"}, endpoint)', multi=False,
                 regex='/(.*)@.*/')

FAILED = 'sum(rate(signalbox_ingress_chats_total{@, outcome=~"failed|broken"}%s)) + sum(rate(signalbox_ingress_shed_total{@}%s))'
COUNTED = 'sum(rate(signalbox_ingress_chats_total{@, outcome=~"ok|failed|broken"}%s)) + sum(rate(signalbox_ingress_shed_total{@}%s))'


def quantiles(histogram, labels='', by='', which=(0.5, 0.9, 0.99), legend=''):
    group = ', '.join(['le'] + ([by] if by else []))
    return [(f'histogram_quantile({q}, sum by ({group}) (rate({histogram}_bucket{{@{labels}}}{RATE})))', f'{legend}p{q * 100:g}') for q in which]


def by(label, metric, labels='', legend=None):
    return [(f'sum by ({label}) (rate({metric}{{@{labels}}}{RATE}))', legend or '{{%s}}' % label)]


def share_by(label, metric, labels):
    """Per label: the part that has the labels, 0 where there is none, as a share of all; the ten largest."""
    part = f'sum by ({label}) (rate({metric}{{@{labels}}}{RATE}))'
    whole = f'sum by ({label}) (rate({metric}{{@}}{RATE}))'
    return [(f'topk(10, ({part} or 0 * {whole}) / {whole})', '{{%s}}' % label)]


def with_process(expression):
    """Names the program of series that every exporter in the world has, and leaves out those of others."""
    return f'{expression} * on (job, instance) group_left (process) signalbox_host_build_info{{@}}'


OVERVIEW = dashboard(
    'signalbox-overview', 'Signalbox / Overview', 'For whoever is on call: what clients feel, what it costs, and which providers it comes from.', [NAMESPACE, POD],
    [('Now', [
        stat('Alerts firing', 'Alerts of Signalbox that are firing. docs/runbook.md has a section for each.', 'short',
             'count(ALERTS{alertstate="firing", alertname=~"Signalbox.*"}) or vector(0)', thresholds=steps('green', (1, 'red'))),
        stat('Chats', 'Finished chats per second, whatever their end.', 'reqps', f'sum(rate(signalbox_ingress_chats_total{{@}}{RATE}))'),
        stat('Good chats', 'Of the chats in the time range that were not at fault themselves: the share that was answered. The objective is 99.9 %.', 'percentunit',
             f'1 - ({FAILED}) / ({COUNTED})' .replace('%s', '[$__range]'), decimals=3, thresholds=steps('red', (0.999, 'green'))),
        stat('Budget burn, 1 h', 'How many times faster than 30 days allow the error budget was spent in the last hour. 1 = just sustainable; an alert pages at 14.4.', 'none',
             'max(namespace:signalbox_chats_bad:ratio_rate1h{namespace=~"$namespace"}) / 0.001', decimals=1, thresholds=steps('green', (1, 'orange'), (14.4, 'red'))),
        stat('First content, p90', 'One chat in ten waits longer than this for its first content.', 's', quantiles('signalbox_ingress_ttft_seconds', which=(0.9,))[0][0]),
        stat('Charged', 'What clients are charged, as an amount per hour at the present rate.', 'currencyUSD',
             f'sum(rate(signalbox_ingress_charged_usd_total{{@}}{RATE})) * 3600', decimals=2),
     ]),
     ('What clients feel', [
        panel('Chats by outcome', 'ok; failed = error before content that was ours or all providers\'; refused = the request\'s own fault; broken = error after content; '
              'client_gone = the client left.', 'reqps', by('outcome', 'signalbox_ingress_chats_total'), stack=True),
        panel('Errors by reason', 'Chats that ended in an error, by the reason the client was told. protos/signalbox/common/v1/error.proto explains the reasons.', 'reqps',
              [(f'sum by (reason) (rate(signalbox_ingress_chat_errors_total{{@}}{RATE})) > 0', '{{reason}}')], stack=True),
        panel('HTTP answers', 'By API method and status class. A stream counts as 2xx once it has begun.', 'reqps',
              [(f'sum by (method, status) (rate(signalbox_ingress_requests_total{{@}}{RATE})) > 0', '{{method}} {{status}}')], stack=True),
        panel('Time to first content', 'From request to first content as the client sees it, failed attempts included.', 's', quantiles('signalbox_ingress_ttft_seconds')),
        panel('Added latency', 'Time of a chat that was not spent waiting for a provider.', 's', quantiles('signalbox_ingress_added_latency_seconds')),
        panel('Refused at the door', 'Chats shed because too many were in flight, connections closed because too many were open. Normal is zero.', 'reqps',
              [(f'sum(rate(signalbox_ingress_shed_total{{@}}{RATE}))', 'chats shed'),
               (f'sum(rate(signalbox_ingress_connections_refused_total{{@}}{RATE}))', 'connections refused')]),
        panel('In flight', 'Chats being answered, streams included.', 'short', [('sum(signalbox_ingress_in_flight{@})', 'in flight')]),
        panel('Tokens', 'Tokens of settled generations per second. cached is part of prompt, reasoning of completion.', 'short', by('kind', 'signalbox_ingress_tokens_total')),
        panel('Keep-alives', 'Comments sent to streams that were silent for long: providers that think, or stall.', 'cps',
              [(f'sum(rate(signalbox_ingress_keepalives_total{{@}}{RATE}))', 'keep-alives')]),
     ]),
     ('Cost', [
        panel('Charged per hour, by provider', 'What clients are charged at the present rate, mark-up included; the ten largest.', 'currencyUSD',
              [(f'topk(10, sum by (provider) (rate(signalbox_ingress_charged_usd_total{{@}}{RATE})) * 3600)', '{{provider}}')], stack=True),
        panel('Charged and billed', 'What clients are charged against what providers bill for it, per hour at the present rate.', 'currencyUSD',
              [(f'sum(rate(signalbox_ingress_charged_usd_total{{@}}{RATE})) * 3600', 'charged'),
               (f'sum(rate(signalbox_ingress_provider_usd_total{{@}}{RATE})) * 3600', 'billed by providers'),
               (f'sum(rate(signalbox_ingress_tool_guard_unpaid_usd_total{{@}}{RATE})) * 3600', 'thrown away by the tool-call guard')]),
        panel('Charges waiting', 'Generations that Redis has not confirmed yet, and those that never will be charged. Normal is a handful, and zero.', 'short',
              [('sum(signalbox_ingress_settle_pending{@})', 'waiting'),
               (f'sum(rate(signalbox_ingress_settle_failures_total{{@}}{RATE}))', 'failed tries per second'),
               (f'sum(rate(signalbox_ingress_settle_dropped_total{{@}}{RATE}))', 'lost per second')]),
     ]),
     ('Fallback', [
        panel('Answered by a fallback', 'Share of good chats that another than the first attempt answered: failures that clients did not see.', 'percentunit',
              [(f'sum(rate(signalbox_ingress_fallbacks_total{{@}}{RATE})) / sum(rate(signalbox_ingress_chats_total{{@, outcome="ok"}}{RATE}))', 'fallbacks')]),
        panel('Attempts by result', 'What ended each attempt; ok = it answered.', 'reqps',
              [(f'sum by (reason) (rate(signalbox_ingress_attempts_total{{@}}{RATE})) > 0', '{{reason}}')], stack=True),
        panel('Attempts per chat', 'Attempts over finished chats. 1 = nothing fails.', 'none',
              [(f'sum(rate(signalbox_ingress_attempts_total{{@}}{RATE})) / sum(rate(signalbox_ingress_chats_total{{@}}{RATE}))', 'attempts')], decimals=2),
     ]),
     ('Providers', [
        panel('Attempts by provider', 'Attempts finished per second; the ten busiest.', 'reqps',
              [(f'topk(10, sum by (provider) (rate(signalbox_adapter_attempts_total{{@}}{RATE})))', '{{provider}}')], stack=True),
        panel('Failures by provider', 'Share of attempts that failed by the provider\'s fault; the ten worst.', 'percentunit',
              share_by('provider', 'signalbox_adapter_attempts_total',
                       ', outcome="failed", reason!~"provider_(rejected|context_length|moderated|saturated|not_configured)"')),
        panel('Failures by reason', 'Failed attempts at providers, by reason.', 'reqps', by('reason', 'signalbox_adapter_attempts_total', ', outcome="failed"'), stack=True),
        panel('First content by provider, p90', 'From the request sent to the first content; the ten slowest.', 's',
              [(f'topk(10, histogram_quantile(0.9, sum by (le, provider) (rate(signalbox_adapter_ttft_seconds_bucket{{@}}{RATE}))))', '{{provider}}')]),
        panel('In flight by provider', 'Attempts at work; the ten busiest.', 'short', [('topk(10, sum by (provider) (signalbox_adapter_in_flight{@}))', '{{provider}}')], stack=True),
        panel('Keys refused', '1 = the provider refuses our key, or its account is out of quota: it is not used for a while.', 'bool_yes_no',
              [('max by (provider) (signalbox_adapter_key_quarantined{@})', '{{provider}}')]),
     ])])

ENDPOINT = ', endpoint=~"$model@.*"'


def of_endpoints(metric):
    return [(f'max by (endpoint) ({metric}{{@{ENDPOINT}}})', '{{endpoint}}')]


ROUTING = dashboard(
    'signalbox-routing', 'Signalbox / Routing', 'For whoever tunes: what is believed of the endpoints of a model, what share each gets, and whether the brain is fresh. docs/routing.md explains it.',
    [NAMESPACE, POD, MODEL],
    [('The model $model', [
        panel('Shares', 'Part of the model\'s requests with tools, and without preferences, that each endpoint gets.', 'percentunit',
              of_endpoints('signalbox_router_endpoint_share'), stack=True, maximum=1, width=12),
        panel('Expected tool-call errors', 'Share of broken tool calls that routing expects. 8 % = nothing is known.', 'percentunit',
              of_endpoints('signalbox_aggregator_endpoint_tool_error_expected'), width=12),
        panel('Availability', 'Share of the attempts of the last 5 minutes that did not fail by the endpoint\'s fault.', 'percentunit',
              of_endpoints('signalbox_aggregator_endpoint_availability'), maximum=1),
        panel('Throughput', 'Median output tokens per second over the last 30 minutes; 0 = no data.', 'short',
              of_endpoints('signalbox_aggregator_endpoint_throughput_tokens_per_second')),
        panel('Time to first token', 'Median over the last 30 minutes; 0 = no data.', 's', of_endpoints('signalbox_aggregator_endpoint_ttft_seconds')),
        panel('Valid tool calls', 'Share of valid answers among judged tool calls of the last 2 hours.', 'percentunit',
              of_endpoints('signalbox_aggregator_endpoint_tool_success'), maximum=1),
        panel('Alarms and circuits', 'Alarm: tool calls are taken for broken, 1 % of the traffic is left. Circuit: the endpoint goes last.', 'bool_yes_no',
              [(f'max by (endpoint) (signalbox_aggregator_endpoint_tool_alarm{{@{ENDPOINT}}})', 'alarm {{endpoint}}'),
               (f'max by (endpoint) (signalbox_aggregator_endpoint_circuit_open{{@{ENDPOINT}}})', 'circuit {{endpoint}}')]),
        panel('Tier by the published rule', '1 good, 2 insufficient data, 3 deprioritised. Routes only with policy.exacto: documented.', 'none',
              of_endpoints('signalbox_aggregator_endpoint_exacto_tier')),
     ]),
     ('All models', [
        panel('Open circuits and alarms', 'Endpoints whose circuit is open for everybody, whose tool calls are taken for broken, and that are scored at all.', 'short',
              [('sum(max by (endpoint) (signalbox_aggregator_endpoint_circuit_open{@}))', 'circuits open'),
               ('sum(max by (endpoint) (signalbox_aggregator_endpoint_tool_alarm{@}))', 'alarms'),
               ('count(max by (endpoint) (signalbox_aggregator_endpoint_circuit_open{@}))', 'endpoints scored')]),
        panel('Circuits of the ingress', 'Circuits each ingress opened by its own attempts, within milliseconds: openings per second, and open now.', 'short',
              [(f'sum(rate(signalbox_ingress_circuit_openings_total{{@}}{RATE}))', 'openings per second'), ('max(signalbox_ingress_circuits_open{@})', 'open, at most')]),
        panel('Tool verdicts', 'Judged answers to requests with tools.', 'reqps', by('outcome', 'signalbox_adapter_tool_verdicts_total'), stack=True),
        panel('Broken tool calls by provider', 'Share of judged answers with an invalid call; the ten worst.', 'percentunit',
              share_by('provider', 'signalbox_adapter_tool_verdicts_total', ', outcome!~"valid|no_call"')),
        panel('Tool-call guard', 'What the guard did (enforce) or would have done (observe), and what became of chats with a rejected answer.', 'reqps',
              [(f'sum by (kind, outcome) (rate(signalbox_adapter_tool_guard_total{{@}}{RATE}))', '{{kind}} {{outcome}}'),
               (f'sum by (outcome) (rate(signalbox_ingress_tool_guard_total{{@}}{RATE}))', 'chat {{outcome}}')]),
        panel('Throughput by provider, median', 'Output tokens per second of streamed answers; the ten fastest.', 'short',
              [(f'topk(10, histogram_quantile(0.5, sum by (le, provider) (rate(signalbox_adapter_throughput_tokens_per_second_bucket{{@}}{RATE}))))', '{{provider}}')]),
     ]),
     ('Decisions', [
        panel('Decisions by source', 'router = asked; reused = still valid, drawn anew; last = an old one, the router is away; catalogue = none at all.', 'reqps',
              by('kind', 'signalbox_ingress_decisions_total'), stack=True),
        panel('Decisions by outcome', 'What the router answered.', 'reqps', by('outcome', 'signalbox_router_decisions_total'), stack=True),
        panel('Candidates', 'Share of decisions with at most so many endpoints. One candidate = no fallback.', 'percentunit',
              [(f'sum(rate(signalbox_router_candidates_bucket{{@, le="{n}"}}{RATE})) / sum(rate(signalbox_router_candidates_count{{@}}{RATE}))', f'at most {n}') for n in (0, 1, 2, 5)]),
        panel('Time of a decision', 'Without the network.', 's', quantiles('signalbox_router_decide_seconds', which=(0.5, 0.99))),
        panel('Explanations', 'signalbox explain, and requests for routing metadata.', 'reqps', [(f'sum(rate(signalbox_router_explanations_total{{@}}{RATE}))', 'explanations')]),
        panel('Active providers', 'Providers with a working key, as each router knows them; failed questions per second.', 'short',
              [('min(signalbox_router_active_providers{@})', 'active'),
               (f'sum(rate(signalbox_router_provider_polls_total{{@, outcome="error"}}{RATE}))', 'failed polls per second')]),
     ]),
     ('Conversations', [
        panel('Turns', 'Turns of conversations: kept at their endpoint, or placed for the first time.', 'reqps', by('kind', 'signalbox_ingress_conversation_turns_total'), width=12, stack=True),
        panel('Moved', 'Conversations that left their endpoint and its prompt cache, by why.', 'reqps', by('reason', 'signalbox_ingress_conversations_moved_total'), width=12, stack=True),
     ]),
     ('Freshness of the scores', [
        panel('Age', 'Age of the scores each router decides by. Normal is below 11 s, under traffic about 1 s.', 's',
              [('max by (pod, instance) (signalbox_router_snapshot_age_seconds{@})', '{{pod}} {{instance}}')]),
        panel('Spread of versions', 'Between the oldest and the newest scores in use by any router or aggregator.', 'ms',
              [('max(signalbox_router_snapshot_version{@}) - min(signalbox_router_snapshot_version{@})', 'routers'),
               ('max(signalbox_aggregator_snapshot_version{@}) - min(signalbox_aggregator_snapshot_version{@})', 'aggregators')]),
        panel('Leaseholders', 'Aggregators that publish: exactly one.', 'short', [('sum(signalbox_aggregator_lease_held{@})', 'leaseholders')]),
        panel('Publications', 'Snapshots per second, and the age of the latest as the aggregators see it.', 'short',
              [*by('outcome', 'signalbox_aggregator_publications_total', legend='{{outcome}} per second'), ('max(signalbox_aggregator_snapshot_age_seconds{@})', 'age, s')]),
        panel('Time to publish', 'From asking for news to the published snapshot.', 's', quantiles('signalbox_aggregator_publish_seconds', which=(0.5, 0.99))),
        panel('Outcomes', 'Outcomes that reach the aggregator, and those that are lost on the way.', 'reqps',
              [*by('outcome', 'signalbox_aggregator_outcomes_total'), (f'sum(rate(signalbox_adapter_outcomes_dropped_total{{@}}{RATE})) or vector(0)', 'dropped by adapters')]),
     ])])

SERVICES = dashboard(
    'signalbox-services', 'Signalbox / Services', 'Per process: processor, memory, queues and their bounds, Redis, connections, configuration.', [NAMESPACE, POD],
    [('Processes', [
        panel('Programs', 'Every process, its version, and whether it may be sent work.', 'none',
              [('max by (process, version, namespace, pod, instance) (signalbox_host_ready{@} * on (job, instance) group_left (process, version) signalbox_host_build_info{@})', '')],
              kind='table', instant=True),
        panel('Ready', 'Processes that may be sent work, by program.', 'short',
              [('sum by (process) (' + with_process('signalbox_host_ready{@}') + ')', '{{process}}')]),
        panel('State', 'Processes by state. Draining ones serve what they have and end.', 'short', [('sum by (state) (signalbox_host_state{@})', '{{state}}')]),
        panel('Processor', 'Cores used.', 'short', [(with_process(f'rate(process_cpu_seconds_total{{@}}{RATE})'), WHO)]),
        panel('Memory', 'Resident memory.', 'bytes', [(with_process('process_resident_memory_bytes{@}'), WHO)]),
        panel('Memory of the limit', 'Resident memory as a share of what the control group allows; nothing where there is no limit (shown as 0).', 'percentunit',
              [('max by (pod, instance) (process_resident_memory_bytes{@} / (signalbox_host_memory_limit_bytes{@} > 0)) or max by (pod, instance) (signalbox_host_memory_limit_bytes{@})',
                '{{pod}} {{instance}}')], maximum=1),
        panel('Open files of the limit', 'At the limit no connection is accepted or made.', 'percentunit',
              [(with_process('process_open_fds{@} / process_max_fds{@}'), WHO)]),
        panel('Threads', 'Threads of each process.', 'short', [(with_process('process_threads{@}'), WHO)]),
        panel('Up since', 'Time since the start of each process.', 's', [(with_process('(time() - process_start_time_seconds{@})'), WHO)]),
     ]),
     ('Ingress', [
        panel('In flight of the limit', 'Chats being answered as a share of ingress.limits.max_in_flight. Above 1 they are shed.', 'percentunit',
              [('signalbox_ingress_in_flight{@} / signalbox_ingress_in_flight_limit{@}', '{{pod}} {{instance}}')]),
        panel('Connections of the limit', 'Client connections as a share of ingress.limits.max_connections.', 'percentunit',
              [('signalbox_ingress_connections{@} / signalbox_ingress_connections_limit{@}', '{{pod}} {{instance}}')]),
        panel('Connections', 'Client connections open.', 'short', [('signalbox_ingress_connections{@}', '{{pod}} {{instance}}')]),
        panel('Key checks', 'fresh = from the cache; store = asked Redis; stale = from the cache because Redis is away; store_away = answered 503.', 'reqps',
              by('kind', 'signalbox_ingress_auth_total'), stack=True),
        panel('Charges waiting', 'Generations that Redis has not confirmed yet, per process.', 'short', [('signalbox_ingress_settle_pending{@}', '{{pod}} {{instance}}')]),
        panel('Chats per process', 'Whether the load is even.', 'reqps', [(f'sum by (pod, instance) (rate(signalbox_ingress_chats_total{{@}}{RATE}))', '{{pod}} {{instance}}')]),
     ]),
     ('Router', [
        panel('Decisions per process', 'Whether the load is even.', 'reqps', [(f'sum by (pod, instance) (rate(signalbox_router_decisions_total{{@}}{RATE}))', '{{pod}} {{instance}}')]),
        panel('Time of a decision, p99', 'Per process, without the network.', 's',
              [(f'histogram_quantile(0.99, sum by (le, pod, instance) (rate(signalbox_router_decide_seconds_bucket{{@}}{RATE})))', '{{pod}} {{instance}}')]),
        panel('Provider polls', 'Questions to the adapter which providers are active.', 'reqps', by('outcome', 'signalbox_router_provider_polls_total')),
     ]),
     ('Adapter', [
        panel('In flight', 'Attempts at work, per process.', 'short', [('sum by (pod, instance) (signalbox_adapter_in_flight{@})', '{{pod}} {{instance}}')]),
        panel('Refused by our own bound', 'Attempts that found max_in_flight of their endpoint used up, by provider.', 'reqps',
              [(f'sum by (provider) (rate(signalbox_adapter_attempts_total{{@, reason="provider_saturated"}}{RATE})) or vector(0)', '{{provider}}')]),
        panel('Connections to providers', 'Open connections, idle and active.', 'short', [('sum by (state) (signalbox_adapter_connections{@})', '{{state}}')], stack=True),
        panel('Connections made and reused', 'Per second. Many opened: providers close early, or there are more attempts than kept connections.', 'cps',
              by('kind', 'signalbox_adapter_pool_events_total')),
        panel('Time of attempts', 'From the request sent to the end of the attempt.', 's', quantiles('signalbox_adapter_upstream_seconds')),
        panel('Outcomes', 'Waiting for the aggregator, taken by it and dropped (per second).', 'short',
              [('sum(signalbox_adapter_outcomes_pending{@})', 'waiting'),
               (f'sum(rate(signalbox_adapter_outcomes_reported_total{{@}}{RATE}))', 'taken per second'),
               (f'sum(rate(signalbox_adapter_outcomes_dropped_total{{@}}{RATE}))', 'dropped per second')]),
     ]),
     ('Aggregator', [
        panel('Batches', 'Batches of outcomes. duplicate is harmless; refused = no room.', 'reqps', by('outcome', 'signalbox_aggregator_batches_total'), stack=True),
        panel('Waiting for Redis', 'Pairs of endpoint and 10 seconds that are not in Redis yet, and endpoints that are not scored because there are too many.', 'short',
              [('max(signalbox_aggregator_pending_entries{@})', 'waiting'), ('max(signalbox_aggregator_endpoints_refused{@})', 'not scored')]),
        panel('Flush', 'Time to bring outcomes to Redis, and calls that failed per second.', 's',
              [*quantiles('signalbox_aggregator_flush_seconds', which=(0.5, 0.99)), (f'sum(rate(signalbox_aggregator_flush_failures_total{{@}}{RATE}))', 'failures per second')]),
     ]),
     ('Redis', [
        panel('Connections missing', 'Connections each process keeps but does not have. Normal is zero.', 'short',
              [('signalbox_redis_connections_configured{@} - signalbox_redis_connections{@}', '{{role}} {{pod}} {{instance}}')]),
        panel('Commands', 'By role and outcome.', 'ops', [(f'sum by (role, outcome) (rate(signalbox_redis_commands_total{{@}}{RATE})) > 0', '{{role}} {{outcome}}')], stack=True),
        panel('Latency', 'From issue to answer; the deadline is 50 ms unless configured.', 's',
              [(f'histogram_quantile({q}, sum by (le, role) (rate(signalbox_redis_command_seconds_bucket{{@}}{RATE})))', '{{role}} p%g' % (q * 100)) for q in (0.5, 0.99)]),
        panel('Waiting for an answer', 'Commands in flight, per role.', 'short', [('sum by (role) (signalbox_redis_pending_commands{@})', '{{role}}')]),
        panel('Reconnects', 'Connections made anew, and scripts loaded anew: the server was restarted, or is another one.', 'ops',
              [*by('role', 'signalbox_redis_reconnects_total', legend='reconnects {{role}}'), *by('role', 'signalbox_redis_script_loads_total', legend='scripts {{role}}')]),
        panel('Not replicated', 'Writes that fewer replicas held in time than redis.*.replicas asks for.', 'ops', by('role', 'signalbox_redis_unreplicated_total')),
     ]),
     ('Configuration and bounds', [
        panel('Stale', '1 = what is on disk does not load, the last good one is in use.', 'bool_yes_no', [('max by (kind) (signalbox_config_stale{@})', '{{kind}}')]),
        panel('Restart needed', '1 = the file on disk differs in something that is read at start only.', 'bool_yes_no',
              [('max by (pod, instance) (signalbox_config_restart_needed{@})', '{{pod}} {{instance}}')]),
        panel('Reloads', 'Loads in the time range, by what and outcome.', 'short', [('sum by (kind, outcome) (increase(signalbox_config_reloads_total{@}[$__range]))', '{{kind}} {{outcome}}')]),
        panel('Series refused', 'Label sets counted as `other` because their metric is full. Normal is zero.', 'short',
              [('sum by (kind) (increase(signalbox_obs_series_refused_total{@}[$__range])) or vector(0)', '{{kind}}')]),
     ])])


def main():
    wrong = 0
    for board in (OVERVIEW, ROUTING, SERVICES):
        path = os.path.join(FOLDER, board['uid'] + '.json')
        text = json.dumps(board, indent=2, ensure_ascii=False) + '\n'
        if '--check' in sys.argv[1:]:
            if not os.path.exists(path) or open(path, encoding='utf-8').read() != text:
                print(f'{os.path.relpath(path)} is not what {os.path.basename(__file__)} writes: run it')
                wrong = 1
        else:
            os.makedirs(FOLDER, exist_ok=True)
            open(path, 'w', encoding='utf-8').write(text)
    return wrong


if __name__ == '__main__':
    sys.exit(main())
