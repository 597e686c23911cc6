/** Facts that everybody can check, typed by hand: subject and answer in both languages. */
export interface PublicFact {
  readonly topic: 'capital' | 'element' | 'status' | 'country';
  readonly subject: { readonly en: string; readonly zh: string };
  readonly answer: { readonly en: string; readonly zh: string };
}

const facts = (topic: PublicFact['topic'], text: string): PublicFact[] =>
  text
    .trim()
    .split('\n')
    .map((line) => {
      const [en, zh, answerEn, answerZh] = line.split('|').map((part) => part.trim()) as [string, string, string, string?];
      return { topic, subject: { en, zh }, answer: { en: answerEn, zh: answerZh ?? answerEn } };
    });

export const PUBLIC_FACTS: readonly PublicFact[] = [
  ...facts(
    'capital',
    `France|法国|Paris|巴黎
    Japan|日本|Tokyo|东京
    Egypt|埃及|Cairo|开罗
    Kenya|肯尼亚|Nairobi|内罗毕
    Peru|秘鲁|Lima|利马
    Norway|挪威|Oslo|奥斯陆
    Greece|希腊|Athens|雅典
    Cuba|古巴|Havana|哈瓦那
    Thailand|泰国|Bangkok|曼谷
    Hungary|匈牙利|Budapest|布达佩斯
    Portugal|葡萄牙|Lisbon|里斯本
    Finland|芬兰|Helsinki|赫尔辛基
    Nepal|尼泊尔|Kathmandu|加德满都
    Chile|智利|Santiago|圣地亚哥
    Ireland|爱尔兰|Dublin|都柏林
    Iran|伊朗|Tehran|德黑兰
    Vietnam|越南|Hanoi|河内
    Poland|波兰|Warsaw|华沙
    Austria|奥地利|Vienna|维也纳
    Mongolia|蒙古|Ulaanbaatar|乌兰巴托`,
  ),
  ...facts(
    'element',
    `iron|铁|Fe
    gold|金|Au
    silver|银|Ag
    sodium|钠|Na
    potassium|钾|K
    copper|铜|Cu
    tin|锡|Sn
    lead|铅|Pb
    mercury|汞|Hg
    tungsten|钨|W
    oxygen|氧|O
    carbon|碳|C
    nitrogen|氮|N
    calcium|钙|Ca
    helium|氦|He
    neon|氖|Ne
    zinc|锌|Zn
    nickel|镍|Ni
    uranium|铀|U
    iodine|碘|I`,
  ),
  ...facts(
    'status',
    `OK|成功|200
    Created|已创建|201
    No Content|无内容|204
    Moved Permanently|永久移动|301
    Not Modified|未修改|304
    Bad Request|错误请求|400
    Unauthorized|未授权|401
    Forbidden|禁止访问|403
    Not Found|未找到|404
    Conflict|冲突|409
    Gone|已删除|410
    Too Many Requests|请求过多|429
    Internal Server Error|服务器内部错误|500
    Bad Gateway|错误网关|502
    Service Unavailable|服务不可用|503
    Gateway Timeout|网关超时|504`,
  ),
  ...facts(
    'country',
    `Germany|德国|DE
    Switzerland|瑞士|CH
    Spain|西班牙|ES
    Sweden|瑞典|SE
    Brazil|巴西|BR
    Canada|加拿大|CA
    India|印度|IN
    Australia|澳大利亚|AU
    South Africa|南非|ZA
    Mexico|墨西哥|MX
    Italy|意大利|IT
    Turkey|土耳其|TR
    Denmark|丹麦|DK
    Belgium|比利时|BE
    Argentina|阿根廷|AR
    Indonesia|印度尼西亚|ID`,
  ),
];

const SENTENCES = {
  capital: { en: 'The capital of S is A.', zh: 'S的首都是A。' },
  element: { en: 'The chemical symbol of S is A.', zh: 'S的化学符号是A。' },
  status: { en: 'HTTP status A means S.', zh: 'HTTP 状态码 A 表示S。' },
  country: { en: 'The country code of S is A.', zh: 'S的国家代码是A。' },
} as const;

const QUESTIONS = {
  capital: { en: 'What is the capital of S?', zh: 'S的首都是哪里?' },
  element: { en: 'Which chemical symbol does S have?', zh: 'S用什么化学符号?' },
  status: { en: 'Which HTTP status means S?', zh: '哪个 HTTP 状态码表示S?' },
  country: { en: 'What is the country code of S?', zh: 'S的国家代码是什么?' },
} as const;

export function sentenceOf({ topic, subject, answer }: PublicFact, language: 'en' | 'zh'): string {
  return SENTENCES[topic][language].replace('S', subject[language]).replace(/A(?=[.。 ])/, answer[language]);
}

export function questionOf({ topic, subject }: PublicFact, language: 'en' | 'zh'): string {
  return QUESTIONS[topic][language].replace(/S(?![a-z])/, subject[language]);
}
