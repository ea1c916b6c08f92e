/** The pages of the dashboard, in the order of its navigation. A page is one line here and one component in `pages/`. */
import type { ComponentType } from 'preact';
import { AccessPage } from './pages/AccessPage.tsx';
import { CostPage } from './pages/CostPage.tsx';
import { DeploymentsPage } from './pages/DeploymentsPage.tsx';
import { FleetPage } from './pages/FleetPage.tsx';
import { PlacementPage } from './pages/PlacementPage.tsx';
import { ProfilerPage } from './pages/ProfilerPage.tsx';
import { SloPage } from './pages/SloPage.tsx';
import { ValuePage } from './pages/ValuePage.tsx';
import { WhatIfPage } from './pages/WhatIfPage.tsx';

export interface DashboardPage {
  /** Its address. The API serves the dashboard at any address that is nothing else: not below /api, and neither /docs nor /metrics. */
  path: string;
  /** In the navigation and in the window's title. */
  title: string;
  Page: ComponentType;
}

export const PAGES: readonly DashboardPage[] = [
  { path: '/', title: 'Fleet', Page: FleetPage },
  { path: '/deployments', title: 'Deployments', Page: DeploymentsPage },
  { path: '/slo', title: 'SLO', Page: SloPage },
  { path: '/profiler', title: 'Profiler', Page: ProfilerPage },
  { path: '/placement', title: 'Placement', Page: PlacementPage },
  { path: '/cost', title: 'Cost', Page: CostPage },
  { path: '/value', title: 'Value', Page: ValuePage },
  { path: '/what-if', title: 'What if', Page: WhatIfPage },
  { path: '/access', title: 'Access', Page: AccessPage },
];

/** The page at a path; a slash at its end does not matter. */
export function pageAt(path: string): DashboardPage | undefined {
  const plain = path.replace(/(?<=.)\/+$/, '');
  return PAGES.find((page) => page.path === plain);
}
