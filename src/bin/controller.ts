#!/usr/bin/env node
// The controller plugin: beside the bytes.
import { runDriver } from '../app/run.ts'

await runDriver('controller')
