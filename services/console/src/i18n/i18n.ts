import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import { en } from './en.js';
import { zh } from './zh.js';

export const LANGUAGES = ['en', 'zh'] as const;
export type Language = (typeof LANGUAGES)[number];
const KEY = 'plexus.language';

declare module 'i18next' {
  interface CustomTypeOptions {
    readonly resources: { readonly translation: typeof en };
  }
}

/** The language somebody chose, else the first of the browser's that we speak, else English. */
export function languageOf(stored: string | null, wanted: readonly string[]): Language {
  const known = (tag: string) => LANGUAGES.find((language) => tag.toLowerCase().startsWith(language));
  return (stored === null ? undefined : known(stored)) ?? wanted.map(known).find((language) => language !== undefined) ?? 'en';
}

export async function startTranslations(): Promise<void> {
  await i18next.use(initReactI18next).init({
    lng: languageOf(localStorage.getItem(KEY), navigator.languages),
    fallbackLng: 'en',
    resources: { en: { translation: en }, zh: { translation: zh } },
    interpolation: { escapeValue: false }, // React escapes
  });
  nameLanguage(i18next.language);
}

export function chooseLanguage(language: Language): void {
  localStorage.setItem(KEY, language);
  void i18next.changeLanguage(language);
  nameLanguage(language);
}

function nameLanguage(language: string): void {
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : language;
}
