/** What the terminal says once everything serves: where to look, and what to try first. */
export interface Addresses {
  api: string;
  gateway: string;
  /** null where Temporal is somebody else's. */
  temporalUi: string | null;
  dataDir: string;
  /** A model to ask, if one is declared. */
  model: string | undefined;
  needsKey: boolean;
  /** What there is to say of the admin key that was made just now, if one was. */
  firstKey: string | null;
}

export function formatAddresses({ api, gateway, temporalUi, dataDir, model, needsKey, firstKey }: Addresses): string {
  const rows = [
    ['dashboard', `${api}/`],
    ['admin API', `${api}/docs`],
    ['gateway', `${gateway}/v1`],
    ...(temporalUi ? [['Temporal UI', temporalUi]] : []),
    ['data and logs', dataDir],
    ...(firstKey ? [['admin key', firstKey]] : []),
  ];
  const key = needsKey ? ' -H "authorization: Bearer $UELLM_API_KEY"' : '';
  const body = JSON.stringify({ model, stream: true, messages: [{ role: 'user', content: 'Tell me about the sea.' }] });
  return [
    '',
    'uellm is ready',
    ...rows.map(([name, value]) => `  ${name!.padEnd(14)} ${value}`),
    ...(model
      ? [`  ${'try'.padEnd(14)} curl -N ${gateway}/v1/chat/completions -H 'content-type: application/json'${key} -d '${body}'`]
      : []),
    '',
  ].join('\n');
}
