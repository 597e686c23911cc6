import { useTranslation } from 'react-i18next';
import { chooseLanguage } from '../i18n/i18n.js';
import { Icon } from '../ui/icons.js';
import { type Theme, useTheme } from './theme.js';

const NEXT: Readonly<Record<Theme, Theme>> = { system: 'light', light: 'dark', dark: 'system' };
const ICONS = { system: 'system', light: 'sun', dark: 'moon' } as const;

/** Colours and language: kept for this browser. */
export function Preferences() {
  const { t, i18n } = useTranslation();
  const [theme, setTheme] = useTheme();
  const themeName = t('theme.now', { theme: t(`theme.${theme}`) });
  const other = i18n.language.startsWith('zh') ? 'en' : 'zh';
  return (
    <>
      <button type="button" className="button quiet icon" aria-label={themeName} title={themeName} onClick={() => setTheme(NEXT[theme])}>
        <Icon name={ICONS[theme]} />
      </button>
      <button type="button" className="button quiet" lang={other} onClick={() => chooseLanguage(other)}>
        <Icon name="language" />
        {other === 'zh' ? '中文' : 'English'}
      </button>
    </>
  );
}
