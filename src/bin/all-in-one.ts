#!/usr/bin/env node
// Controller and node in one process: one host that serves itself.
import { runDriver } from '../app/run.ts'

await runDriver('all-in-one')
