// Who reaches whom under a set of NetworkPolicies, by the rules of Kubernetes.
const matches = (selector, labels) =>
  Object.entries(selector?.matchLabels ?? {}).every(([k, v]) => labels[k] === v) &&
  (selector?.matchExpressions ?? []).every(({ key, operator, values }) => ({
    In: values?.includes(labels[key]), NotIn: !values?.includes(labels[key]), Exists: key in labels, DoesNotExist: !(key in labels),
  })[operator]);

const number = (ip) => ip.split('.').reduce((n, part) => n * 256 + Number(part), 0);
function inCidr(ip, cidr) {
  if (ip.includes(':') || cidr.includes(':')) return false; // IPv6 is compared by text elsewhere
  const [base, bits] = cidr.split('/');
  const size = 2 ** (32 - Number(bits));
  return Math.floor(number(ip) / size) === Math.floor(number(base) / size);
}

// An end is {namespace, labels} (a pod; namespaces have the label kubernetes.io/metadata.name) or {ip}.
function peerMatches(peer, end, policyNamespace) {
  if (peer.ipBlock) return Boolean(end.ip) && inCidr(end.ip, peer.ipBlock.cidr) && !(peer.ipBlock.except ?? []).some((c) => inCidr(end.ip, c));
  if (end.ip) return false;
  const namespaceFits = peer.namespaceSelector ? matches(peer.namespaceSelector, { 'kubernetes.io/metadata.name': end.namespace }) : end.namespace === policyNamespace;
  return namespaceFits && matches(peer.podSelector ?? {}, end.labels);
}

function ruleAllows(rule, peers, end, port, protocol, policyNamespace) {
  const portFits = !rule.ports?.length || rule.ports.some((p) => p.port === port && (p.protocol ?? 'TCP') === protocol);
  return portFits && (!peers?.length || peers.some((peer) => peerMatches(peer, end, policyNamespace)));
}

function allowed(policies, type, end, other, port, protocol) {
  if (!end.labels) return true;
  const applying = policies.filter((p) => p.metadata.namespace === end.namespace && p.spec.policyTypes.includes(type) && matches(p.spec.podSelector, end.labels));
  if (applying.length === 0) return true;
  return applying.some((p) => (type === 'Ingress' ? p.spec.ingress ?? [] : p.spec.egress ?? []).some((rule) =>
    ruleAllows(rule, type === 'Ingress' ? rule.from : rule.to, other, port, protocol, p.metadata.namespace)));
}

export function reaches(policies, from, to, port, protocol = 'TCP') {
  return allowed(policies, 'Egress', from, to, port, protocol) && allowed(policies, 'Ingress', to, from, port, protocol);
}
export { matches };
