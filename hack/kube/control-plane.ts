// etcd, kube-apiserver and kube-controller-manager on 127.0.0.1: a cluster without nodes.
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePorts } from '../lab/ports.ts'
import { Api, NAMESPACE } from './api.ts'
import { pathOf } from './binaries.ts'
import type { Folders } from './folder.ts'
import { Program } from './program.ts'

/** What acts on volumes, claims, attachments and the objects around them; nothing that expects kubelet to report. */
const CONTROLLERS = [
  'persistentvolume-binder-controller',
  'persistentvolume-attach-detach-controller',
  'persistentvolume-expander-controller',
  'persistentvolumeclaim-protection-controller',
  'persistentvolume-protection-controller',
  'volumeattributesclass-protection-controller',
  'serviceaccount-controller',
  'root-ca-certificate-publisher-controller',
  'namespace-controller',
  'garbage-collector-controller',
  'deployment-controller',
  'replicaset-controller',
]

const READY_MS = 300_000
const LOOK_MS = 100

/** One certificate that is its own authority, and the key that signs the tokens of service accounts. */
function makeKeys(folder: string): void {
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  }
  const curve = ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out']
  for (const name of ['server.key', 'accounts.key']) openssl('genpkey', ...curve, name)
  // The API server finds no public key in a private one of this kind.
  openssl('pkey', '-in', 'accounts.key', '-pubout', '-out', 'accounts.pub')
  const names = 'subjectAltName=DNS:localhost,DNS:kubernetes.default.svc,IP:127.0.0.1'
  const subject = ['-subj', '/CN=ashlar-kube', '-addext', names, '-days', '2']
  openssl('req', '-x509', '-new', '-key', 'server.key', '-out', 'server.crt', ...subject)
}

export class ControlPlane {
  readonly #folders: Folders
  readonly #token = randomBytes(16).toString('hex')
  readonly programs: Program[] = []
  #port = 0
  #api: Api | undefined

  constructor(folders: Folders) {
    this.#folders = folders
  }

  /** As a member of system:masters, who may do everything. */
  get api(): Api {
    if (!this.#api) throw new Error('the control plane does not run')
    return this.#api
  }

  /** A line of JSON for each request of a service account. */
  get audit(): string {
    return readFileSync(this.#file('audit.log'), 'utf8')
  }

  /** A kubeconfig for a bearer token; without one, the administrator's. */
  kubeconfig(name: string, token = this.#token): string {
    const path = this.#file(`${name}.kubeconfig`)
    const server = { server: `https://127.0.0.1:${this.#port}`, 'certificate-authority': this.#file('server.crt') }
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'rig', cluster: server }],
      users: [{ name, user: { token } }],
      contexts: [{ name, context: { cluster: 'rig', user: name, namespace: NAMESPACE } }],
      'current-context': name,
    }
    writeFileSync(path, JSON.stringify(config), { mode: 0o600 })
    return path
  }

  /** Of the certificate with which the API server calls kubelet: its own. */
  get clientCa(): string {
    return this.#file('server.crt')
  }

  async start(): Promise<void> {
    const [client = 0, peer = 0, secure = 0] = await freePorts(3)
    this.#port = secure
    makeKeys(this.#folders.folder)
    writeFileSync(this.#file('tokens.csv'), `${this.#token},admin,admin,"system:masters"\n`, { mode: 0o600 })
    writeFileSync(this.#file('audit-policy.json'), JSON.stringify(auditPolicy))
    this.#api = new Api(secure, readFileSync(this.#file('server.crt'), 'utf8'), this.#token)
    this.#run('etcd', '/usr/bin/etcd', etcdArgs(join(this.#folders.memory, 'etcd'), client, peer))
    this.#run('apiserver', pathOf('kube-apiserver'), this.#apiserverArgs(client, secure))
    await this.#waitReady()
    this.#run('controllers', pathOf('kube-controller-manager'), this.#managerArgs())
  }

  /** Only real nodes are worth a scheduler: tests name those that are played. */
  startScheduler(): void {
    const kubeconfig = this.kubeconfig('scheduler')
    this.#run('scheduler', pathOf('kube-scheduler'), [
      `--kubeconfig=${kubeconfig}`,
      '--leader-elect=false',
      '--secure-port=0',
    ])
  }

  #run(name: string, file: string, args: readonly string[]): void {
    const program = new Program({ name, file, args, folder: this.#folders.folder })
    this.programs.push(program)
    program.start()
  }

  #apiserverArgs(etcd: number, port: number): string[] {
    return [
      `--etcd-servers=http://127.0.0.1:${etcd}`,
      '--bind-address=127.0.0.1',
      // Without it, it looks for an address that others reach, and ends on a machine without a route.
      '--advertise-address=127.0.0.1',
      `--secure-port=${port}`,
      // The address of the service "kubernetes" may not be a loopback one, and nobody asks for it.
      '--endpoint-reconciler-type=none',
      '--service-cluster-ip-range=10.96.0.0/16',
      `--tls-cert-file=${this.#file('server.crt')}`,
      `--tls-private-key-file=${this.#file('server.key')}`,
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${this.#file('accounts.pub')}`,
      `--service-account-signing-key-file=${this.#file('accounts.key')}`,
      `--token-auth-file=${this.#file('tokens.csv')}`,
      '--authorization-mode=RBAC',
      '--allow-privileged=true',
      '--enable-priority-and-fairness=false',
      '--kubelet-preferred-address-types=InternalIP',
      `--kubelet-client-certificate=${this.clientCa}`,
      `--kubelet-client-key=${this.#file('server.key')}`,
      `--cert-dir=${this.#folders.folder}`,
      `--audit-policy-file=${this.#file('audit-policy.json')}`,
      `--audit-log-path=${this.#file('audit.log')}`,
    ]
  }

  #managerArgs(): string[] {
    return [
      `--kubeconfig=${this.kubeconfig('controllers')}`,
      `--controllers=${CONTROLLERS.join(',')}`,
      `--service-account-private-key-file=${this.#file('accounts.key')}`,
      `--root-ca-file=${this.#file('server.crt')}`,
      '--use-service-account-credentials=true',
      '--leader-elect=false',
      '--secure-port=0',
      '--kube-api-qps=100',
      '--kube-api-burst=200',
      // How often claims that nothing was heard of are looked at again.
      '--pvclaimbinder-sync-period=2s',
    ]
  }

  async #waitReady(): Promise<void> {
    const deadline = Date.now() + READY_MS
    let last = ''
    while (Date.now() < deadline) {
      const dead = this.programs.find(program => !program.isRunning)
      if (dead) throw new Error(`${dead.options.name} has ended\n${dead.tail()}`)
      try {
        await this.api.call('GET', '/readyz')
        await this.api.get('Namespace', NAMESPACE)
        return
      } catch (error) {
        last = String(error)
      }
      await sleep(LOOK_MS)
    }
    throw new Error(
      `the API server does not become ready: ${last}\n${this.programs.map(each => each.tail()).join('\n')}`,
    )
  }

  /** The API server before etcd: without that it does not end by itself. Nothing of them is kept, so none is asked. */
  async stop(): Promise<void> {
    this.#api?.close()
    for (const program of this.programs.toReversed()) await program.kill()
  }

  #file(name: string): string {
    return join(this.#folders.folder, name)
  }
}

/** Who asked for what, of the accounts of all pods: shows which rights are used. */
const auditPolicy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [{ level: 'Metadata', userGroups: ['system:serviceaccounts'] }, { level: 'None' }],
}

function etcdArgs(data: string, client: number, peer: number): string[] {
  const [clientUrl, peerUrl] = [`http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`]
  return [
    `--data-dir=${data}`,
    `--listen-client-urls=${clientUrl}`,
    `--advertise-client-urls=${clientUrl}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=default=${peerUrl}`,
  ]
}
