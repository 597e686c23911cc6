/** One thing in both languages. */
export interface Pair {
  readonly en: string;
  readonly zh: string;
}

export interface Attribute extends Pair {
  /** Other words for it, which the memories do not use. */
  readonly synonym: Pair;
  readonly values: readonly Pair[];
}

const pairs = (text: string): Pair[] =>
  text
    .trim()
    .split('\n')
    .map((line) => {
      const [en, zh] = line.split('|') as [string, string];
      return { en: en.trim(), zh: zh.trim() };
    });

export const PERSONAS = pairs(`
  Mia Chen | 陈米娅
  Tom Becker | 汤姆
  Aisha Khan | 阿伊莎
  Wang Lei | 王磊
  Sofia Rossi | 索菲亚
  Jonas Weber | 约纳斯
  Li Na | 李娜
  Omar Haddad | 奥马尔
  Zhang Wei | 张伟
  Emma Clarke | 艾玛
  Kenji Mori | 健二
  Nadia Petrova | 娜迪亚`);

export const PROJECTS = pairs(`
  Aurora | 极光
  Granite | 花岗岩
  Lighthouse | 灯塔
  Nightingale | 夜莺
  Sandstorm | 沙暴
  Waterfall | 瀑布
  Evergreen | 常青
  Compass | 指南针
  Meteor | 流星
  Harbour | 港湾
  Lantern | 灯笼
  Sparrow | 麻雀
  Glacier | 冰川
  Bamboo | 竹林
  Thunder | 雷霆
  Mosaic | 马赛克`);

const attribute = (head: string, synonym: string, values: string): Attribute => {
  const [name, other] = [pairs(head)[0] as Pair, pairs(synonym)[0] as Pair];
  return { ...name, synonym: other, values: pairs(values.split(';').join('\n')) };
};

export const ATTRIBUTES: readonly Attribute[] = [
  attribute('database | 数据库', 'data store | 存储引擎', 'PostgreSQL | PostgreSQL; MySQL | MySQL; a document store | 文档存储; Oracle | Oracle'),
  attribute('release day | 发布日', 'shipping date | 上线时间', 'Tuesday | 星期二; Thursday | 星期四; the first Monday | 第一个星期一'),
  attribute('meeting room | 会议室', 'conference space | 开会地点', 'the blue room | 蓝色房间; room 42 | 42 号房间; the roof terrace | 屋顶露台'),
  attribute('backup location | 备份位置', 'place for copies | 副本存放处', 'the cellar | 地下室; the bank vault | 银行金库; a second data centre | 第二机房'),
  attribute('test framework | 测试框架', 'checking tool | 检验工具', 'Jest | Jest; Mocha | Mocha; a home-made runner | 自制运行器'),
  attribute('budget | 预算', 'money available | 可用资金', '40,000 euros | 4 万欧元; 90,000 euros | 9 万欧元; nothing yet | 暂时没有'),
  attribute('customer | 客户', 'client | 买方', 'a hospital | 一家医院; the city library | 市图书馆; a shipping company | 一家航运公司'),
  attribute('programming language | 编程语言', 'code is written in | 代码用什么写', 'TypeScript | TypeScript; Rust | Rust; Go | Go'),
  attribute('password policy | 密码规则', 'secret rules | 口令要求', 'sixteen characters | 十六个字符; a hardware key | 硬件密钥; four words | 四个单词'),
  attribute('holiday | 假期', 'vacation | 休假安排', 'two weeks in August | 八月两周; the last week of May | 五月最后一周; none this year | 今年没有'),
  attribute('logging level | 日志级别', 'verbosity | 记录详细程度', 'debug | 调试; warnings only | 仅警告; errors only | 仅错误'),
  attribute('deployment region | 部署区域', 'hosting area | 托管地区', 'Frankfurt | 法兰克福; Singapore | 新加坡; Oregon | 俄勒冈'),
];

/** What people also say: nothing of it answers anything. */
export const CHATTER = pairs(`
  The coffee machine on the third floor is broken again. | 三楼的咖啡机又坏了。
  Please remember to water the plants. | 请记得给植物浇水。
  The train was late this morning. | 今天早上火车晚点了。
  Somebody left an umbrella at the reception. | 有人把雨伞落在前台了。
  The printer needs new paper. | 打印机需要换纸。
  Lunch is at noon near the fountain. | 中午在喷泉旁边吃午饭。
  The window in the corridor does not close. | 走廊的窗户关不上。
  It will rain on the weekend. | 周末会下雨。`);
