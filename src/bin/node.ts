#!/usr/bin/env node
// The node plugin: on every node that uses volumes.
import { runDriver } from '../app/run.ts'

await runDriver('node')
