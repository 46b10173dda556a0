// Writes the "newc" cpio archive that the kernel unpacks as its first root (initramfs buffer format).

const pad4 = (buffer: Buffer): Buffer => Buffer.concat([buffer, Buffer.alloc((4 - (buffer.length % 4)) % 4)])

export class Cpio {
  readonly #parts: Buffer[] = []
  #inode = 0

  directory(name: string): void {
    this.#entry(name, 0o040755, Buffer.alloc(0))
  }

  file(name: string, content: Buffer, mode = 0o644): void {
    this.#entry(name, 0o100000 | mode, content)
  }

  /** The finished archive. */
  end(): Buffer {
    this.#entry('TRAILER!!!', 0, Buffer.alloc(0))
    return Buffer.concat(this.#parts)
  }

  #entry(name: string, mode: number, content: Buffer): void {
    const path = Buffer.from(`${name}\0`)
    this.#inode += 1
    // inode, mode, uid, gid, links, mtime, size, device and rdevice (major, minor each), length of the name, checksum
    const fields = [this.#inode, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, path.length, 0]
    const header = `070701${fields.map(field => field.toString(16).padStart(8, '0')).join('')}`
    this.#parts.push(pad4(Buffer.concat([Buffer.from(header), path])), pad4(content))
  }
}
