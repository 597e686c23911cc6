import { Module } from '@nestjs/common';

/** Wiring only. */
@Module({ controllers: [], providers: [] })
export class ChannelsModule {}
