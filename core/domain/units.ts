/** Units are in names everywhere (`ttftMs`, `kvCacheBytes`); these are the factors between them. */
export const GIB = 1024 ** 3;
export const GIGA = 1e9;
export const MS_PER_SECOND = 1000;
