// A container of the chart, run by runc from an image that buildah made: as kubelet and containerd would, as far as
// the chart's pod says. Not enforced here: its limits of memory and its seccomp profile.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { container, objectsOf, type PodSpec, podOf } from '../chart/objects.ts'
import { type DriverProcess, launch } from '../sanity/driver.ts'

export interface Role {
  /** The driver's name for it, all-in-one, controller or node. */
  readonly name: string
  /** Of charts/ashlar/ci. */
  readonly profile: string
  readonly kind: 'DaemonSet' | 'Deployment'
  readonly image: 'controller' | 'node'
}

export interface Place {
  /** Where the trees of the images are: hack/images/build --trees. */
  readonly trees: string
  /** On a shared mount; kubelet's folder, the pool and all that the pod finds of its host lie in it. */
  readonly directory: string
}

type Mount = Readonly<{ destination: string; type: string; source: string; options: readonly string[] }>

/** What the container has of the host itself; of all else that the pod names it has a folder in the directory. */
const OF_THE_HOST: readonly string[] = ['/dev', '/sys/fs/cgroup', '/lib/modules']
const PROPAGATION = { Bidirectional: 'rshared', HostToContainer: 'rslave' } as const

/** A privileged container has what its host may give. */
const capabilities = (): string[] =>
  (/^Capability bounding set: (.*)$/m.exec(execFileSync('setpriv', ['--dump'], { encoding: 'utf8' }))?.[1] ?? '')
    .split(',')
    .map(name => `CAP_${name.toUpperCase()}`)

const runc = (directory: string): string[] => ['runc', '--root', join(directory, 'runc')]

export class Container {
  readonly #place: Place
  readonly #role: Role
  readonly #pod: PodSpec

  constructor(place: Place, role: Role) {
    this.#place = place
    this.#role = role
    const { directory } = place
    const pool = { type: 'file', path: join(directory, 'pool') }
    const values = ['--set', `kubeletDir=${directory}`, '--set-json', `config.pools.default=${JSON.stringify(pool)}`]
    this.#pod = podOf(objectsOf(role.profile, values), role.kind)
  }

  get #driver() {
    return container(this.#pod, 'driver')
  }

  /** A file of the host for each folder of the pod's. */
  #hostPath(volume: string): string {
    const { directory } = this.#place
    if (volume === 'state') return join(directory, 'state', this.#role.name)
    const path = this.#pod.volumes.find(({ name }) => name === volume)?.hostPath?.path
    if (path === undefined) return join(directory, 'pods', this.#role.name, volume)
    if (path === directory || path.startsWith(`${directory}/`) || OF_THE_HOST.includes(path)) return path
    return join(directory, 'host', this.#role.name, path)
  }

  /** Where the driver's socket is, for those outside. */
  get socket(): string {
    return join(this.#hostPath('socket'), 'csi.sock')
  }

  /** Writes a folder of the pod's, as a ConfigMap would be mounted. */
  #writeConfig(config: object): void {
    writeFileSync(join(this.#hostPath('config'), 'config.json'), JSON.stringify(config))
  }

  #mounts(): Mount[] {
    const kernel = [
      { destination: '/proc', type: 'proc', source: 'proc', options: [] },
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev'] },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
    ]
    // A kernel without configfs has no place for it, and nobody can make one there.
    const volumeMounts = this.#driver.volumeMounts.filter(
      ({ mountPath }) => !mountPath.startsWith('/sys/') || existsSync(mountPath),
    )
    const own = volumeMounts.map(({ name, mountPath, mountPropagation, readOnly }) => ({
      destination: mountPath,
      type: 'bind',
      source: this.#hostPath(name),
      options: [
        'rbind',
        mountPropagation === undefined ? 'rprivate' : PROPAGATION[mountPropagation],
        readOnly === true ? 'ro' : 'rw',
      ],
    }))
    // The pool lies in kubelet's folder here, and is there as a part of it.
    const isWithin = ({ destination, source }: Mount) =>
      destination === source &&
      own.some(other => destination.startsWith(`${other.destination}/`) && other.source === other.destination)
    const taken = new Set(own.map(({ destination }) => destination))
    // As container runtimes do: what is mounted below another mount comes after it.
    const depth = ({ destination }: Mount) => destination.split('/').length
    const all = [...kernel.filter(({ destination }) => !taken.has(destination)), ...own.filter(each => !isWithin(each))]
    return all.sort((a, b) => depth(a) - depth(b))
  }

  /** The settings of the OCI runtime, version 1.0 of its specification. */
  #spec(environment: Readonly<Record<string, string>>): object {
    const { securityContext: own, command = [], args = [], volumeMounts } = this.#driver
    const { securityContext: ofPod, hostNetwork } = this.#pod
    const isPrivileged = own.privileged === true
    const all = isPrivileged ? capabilities() : []
    const ofImage = readFileSync(join(this.#place.trees, `${this.#role.image}.env`), 'utf8')
      .split('\n')
      .filter(Boolean)
    const namespaces = ['mount', 'pid', 'ipc', 'uts', ...(hostNetwork === true ? [] : ['network'])]
    return {
      ociVersion: '1.0.2',
      root: { path: join(this.#place.trees, this.#role.image), readonly: own.readOnlyRootFilesystem === true },
      process: {
        user: {
          uid: own.runAsUser ?? ofPod.runAsUser ?? 0,
          gid: own.runAsGroup ?? ofPod.runAsGroup ?? 0,
          additionalGids: ofPod.fsGroup === undefined ? [] : [ofPod.fsGroup],
        },
        args: [...command, ...args],
        env: [...ofImage, ...Object.entries(environment).map(([name, value]) => `${name}=${value}`)],
        cwd: '/',
        capabilities: { bounding: all, effective: all, permitted: all },
        noNewPrivileges: !isPrivileged && own.allowPrivilegeEscalation === false,
      },
      mounts: this.#mounts(),
      linux: {
        namespaces: namespaces.map(type => ({ type })),
        // Otherwise what the driver mounts would stay in the container.
        ...(volumeMounts.some(each => each.mountPropagation === 'Bidirectional')
          ? { rootfsPropagation: 'rshared' }
          : {}),
        ...(isPrivileged ? { resources: { devices: [{ allow: true, access: 'rwm' }] } } : {}),
      },
    }
  }

  get #id(): string {
    return `ashlar-${this.#role.name}`
  }

  /** Makes what kubelet makes of a pod's volumes, and starts the container. */
  start(config: object, environment: Readonly<Record<string, string>>): DriverProcess {
    const { directory } = this.#place
    for (const { name } of this.#driver.volumeMounts) mkdirSync(this.#hostPath(name), { recursive: true })
    this.#writeConfig(config)
    const bundle = join(directory, 'bundle', this.#role.name)
    mkdirSync(bundle, { recursive: true })
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(this.#spec(environment)))
    const command = [...runc(directory), 'run', '--bundle', bundle, this.#id]
    return launch(directory, { role: this.#role.name, socket: this.socket, command })
  }

  /** Of the driver's process. */
  get pid(): number {
    const [file = '', ...args] = runc(this.#place.directory)
    return (JSON.parse(execFileSync(file, [...args, 'state', this.#id], { encoding: 'utf8' })) as { pid: number }).pid
  }

  /** Whatever is left of it: runc that is killed leaves its container alone. */
  remove(): void {
    const [file = '', ...args] = runc(this.#place.directory)
    execFileSync(file, [...args, 'delete', '--force', this.#id])
  }

  /** Runs a program in the container; what it printed, errors too, and how it ended. */
  exec(...command: readonly string[]): { output: string; code: number | null } {
    const [file = '', ...args] = runc(this.#place.directory)
    const { stdout, stderr, status } = spawnSync(file, [...args, 'exec', this.#id, ...command], { encoding: 'utf8' })
    return { output: stdout + stderr, code: status }
  }
}
