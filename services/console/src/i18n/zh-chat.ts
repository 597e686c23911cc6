import type { enChat } from './en-chat.js';
import type { Translated } from './en.js';

/** 中文，第四部分：对话。 */
export const zhChat: Translated<typeof enChat> = {
  chat: {
    with: '对话',
    log: '消息',
    earlier: '显示更早的消息',
    none: '还没有内容',
    noneText: '在下方向智能体提问，回答会逐字显示。',
    write: '给智能体的消息',
    placeholder: '向智能体提问…（Shift+Enter 换行）',
    placeholderRunning: '智能体正在回答……（输入 /stop 可停止）',
    nothingToStop: '此会话中没有正在运行的内容。',
    send: '发送',
    stop: '停止',
    thinking: '思考中…',
    reset: '重新开始',
    resetText: '对话记录将重新开始。旧记录会保留到其保存期限结束。',
    role: { user: '我', assistant: '智能体', system: '系统', tool: '工具' },
    label: { stopped: '已停止', queued: '排队中' },
    attach: '添加附件',
    noAttach: '连接到网关后才知道可以附加哪些文件',
    attached: '附件',
    attachedCount_other: '已添加 {{count}} 个附件',
    detach: '移除 {{name}}',
    download: '下载 {{name}}',
    noPicture: '无法显示图片',
    understood: '关闭',
    refused: {
      kind: '无法附加 {{name}}：只接受文本以及 PNG、JPEG、GIF 或 WebP 图片。',
      empty: '无法附加 {{name}}：文件是空的。',
      unreadable: '无法读取 {{name}}。不能附加文件夹。',
      tooLarge: '{{name}} 过大：最多 {{limit}}。',
      tooMany: '未附加 {{name}}：一条消息最多 {{limit}} 个文件。',
      total: '未附加 {{name}}：一条消息的文件合计最多 {{limit}}。',
    },
  },
};
