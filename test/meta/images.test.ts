// The images: one build stage for both, and in each every program that its roles run, by the sources.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FILES, IMAGES, type Image, PACKAGES, programsOf, read } from './image-programs.ts'

/** The lines of a stage, from its FROM to the next. */
function stage(text: string, name: string): string {
  const part = text.split(/^(?=FROM )/m).find(each => each.split('\n')[0]?.endsWith(` AS ${name}`))
  assert.ok(part, `no stage ${name}`)
  return part
}

/** What it installs, and what it only takes a program from. */
function installed(image: Image): string[] {
  const text = stage(read(FILES[image]), 'image').replaceAll(/^\s*#.*\n/gm, '')
  const lists = [/--no-install-recommends \\\n([\s\S]*?)&&/, /apt-get download ([^&]*)&&/].map(
    each => each.exec(text)?.[1],
  )
  return lists.flatMap(list => (list ?? '').replaceAll(/[\\;\n]/g, ' ').split(' ')).filter(Boolean)
}

describe('the images', () => {
  it('are built by the same stage, to the letter', () => {
    const [controller, node] = IMAGES.map(image => stage(read(FILES[image]), 'build'))
    assert.equal(controller, node)
    assert.match(node ?? '', /npm ci/)
  })

  for (const image of IMAGES) {
    it(`${image}: every program of its roles comes from a package that it installs`, () => {
      const run = programsOf(image)
      assert.ok(run.length > 12, run.join())
      assert.deepEqual(
        run.filter(name => PACKAGES[name] === undefined),
        [],
        'programs without a package',
      )
      const wanted = run.map(name => PACKAGES[name] ?? '')
      const packages = [...new Set(wanted)].filter(Boolean).sort()
      // The test of the real image looks for the programs themselves: hack/images.
      assert.deepEqual(installed(image).sort(), packages)
    })

    it(`${image}: is pinned, and says what it is`, () => {
      const text = read(FILES[image])
      const { devDependencies } = JSON.parse(read('package.json')) as { devDependencies: Record<string, string> }
      assert.match(
        text,
        new RegExp(`^ARG BUILDER=.*node:${devDependencies['node']?.replaceAll('.', '\\.')}-bookworm-slim$`, 'm'),
      )
      assert.doesNotMatch(text, /:latest/)
      for (const label of ['title', 'version', 'licenses'])
        assert.match(text, new RegExp(`org\\.opencontainers\\.image\\.${label}=`))
    })
  }

  it('of the chart’s commands exist', () => {
    for (const [image, commands] of Object.entries({
      controller: ['ashlar-controller'],
      node: ['ashlar-node', 'ashlar-all-in-one'],
    }))
      for (const name of commands) assert.ok(read(FILES[image as Image]).includes(`/usr/local/bin/${name}`), name)
  })
})
