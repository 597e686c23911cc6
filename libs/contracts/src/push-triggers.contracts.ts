/** What fires by itself: schedules, dispatch rules, and the tools by which agents research and notify. */
export {};
