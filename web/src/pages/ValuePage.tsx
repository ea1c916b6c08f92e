import { ValueReportSection } from '../sections/value/ValueReportSection.tsx';

export function ValuePage() {
  return <ValueReportSection />;
}
