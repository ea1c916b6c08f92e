/** Names in PromQL, by Prometheus' own grammar. */
import type { SyntaxNode } from '@lezer/common';
import { parser } from '@prometheus-io/lezer-promql';

export interface PromqlNames {
  /** Metric → labels that are asked of it: those that it is selected by, and those that an aggregation around it groups by. */
  metrics: Map<string, Set<string>>;
  /** Labels that the outermost aggregations leave. */
  grouped: Set<string>;
}

/** @param expression with variables of Grafana, or without @throws where it is no PromQL */
export function promqlNames(expression: string): PromqlNames {
  const text = expression.replaceAll('$__rate_interval', '5m').replaceAll('$__range', '1h');
  const { topNode } = parser.parse(text);
  const names: PromqlNames = { metrics: new Map(), grouped: new Set() };
  const textOf = ({ from, to }: SyntaxNode) => text.slice(from, to);
  const labelsBelow = (node: SyntaxNode, group: string) =>
    node.getChildren(group).flatMap((labels) => labels.getChildren('LabelName').map(textOf));

  function visit(node: SyntaxNode, asked: readonly string[]): void {
    if (node.type.isError) throw new Error(`no PromQL at ${node.from}: ${text}`);
    if (node.name === 'VectorSelector') {
      const metric = textOf(node.getChild('Identifier')!);
      const matched = node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? [];
      const labels = names.metrics.get(metric) ?? new Set();
      for (const label of [...asked, ...matched.map((matcher) => textOf(matcher.getChild('LabelName')!))]) labels.add(label);
      names.metrics.set(metric, labels);
    }
    const modifier = node.name === 'AggregateExpr' ? node.getChild('AggregateModifier') : null;
    const grouping = modifier ? labelsBelow(modifier, 'GroupingLabels') : [];
    if (asked.length === 0) for (const label of grouping) names.grouped.add(label);
    for (let child = node.firstChild; child; child = child.nextSibling) visit(child, [...asked, ...grouping]);
  }
  visit(topNode, []);
  return names;
}
