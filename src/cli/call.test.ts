// The arguments of `call`, and what is said about wrong ones.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { listMethods, listStreams } from '../rpc/client.ts'
import { parseCall, parseRequest } from './call.ts'

const parse = (args: string[], env = {}) => parseCall(args, env, { ...listMethods(), SnapshotMetadata: listStreams() })
const endpoint = 'unix:///run/csi.sock'

describe('parseCall', () => {
  it('takes service, method, request and endpoint', () => {
    assert.deepEqual(parse(['Node/NodeGetInfo', '{"a":1}', '--endpoint', endpoint]), {
      service: 'Node',
      method: 'NodeGetInfo',
      request: '{"a":1}',
      endpoint,
    })
  })
  it('takes the endpoint from the environment, the flag first', () => {
    assert.equal(parse(['Identity/Probe'], { CSI_ENDPOINT: endpoint }).endpoint, endpoint)
    assert.equal(parse(['Identity/Probe', '--endpoint', '/a'], { CSI_ENDPOINT: endpoint }).endpoint, '/a')
  })
  it('takes the methods that answer streams', () => {
    const { service, method } = parse(['SnapshotMetadata/GetMetadataDelta', '--endpoint', endpoint])
    assert.deepEqual([service, method], ['SnapshotMetadata', 'GetMetadataDelta'])
  })
  it('takes the full name of the service', () =>
    assert.equal(parse(['csi.v1.Controller/ListVolumes', '--endpoint', endpoint]).service, 'Controller'))
  const wrong: [string, string[], RegExp][] = [
    ['nothing', [], /call SERVICE\/METHOD/],
    ['a request in two arguments', ['Identity/Probe', '{', '}'], /one argument/],
    ['an unknown service', ['Nodes/NodeGetInfo'], /one of Identity, Controller, GroupController, Node/],
    ['an unknown method', ['Node/CreateVolume'], /NodeStageVolume/],
    ['a method of the client object', ['Node/close'], /no method "close"/],
    ['no endpoint', ['Identity/Probe'], /CSI_ENDPOINT/],
    ['an unknown flag', ['Identity/Probe', '--socket', '/a'], /--socket/],
  ]
  for (const [what, args, message] of wrong) it(`refuses ${what}`, () => assert.throws(() => parse(args), { message }))
})

describe('parseRequest', () => {
  it('takes an object', () => assert.deepEqual(parseRequest('{"name":"x"}'), { name: 'x' }))
  for (const text of ['[]', 'null', '"x"'])
    it(`refuses ${text}`, () => assert.throws(() => parseRequest(text), /object/))
  it('refuses what is not JSON', () => assert.throws(() => parseRequest('{name: 1}'), /not JSON/))
})
