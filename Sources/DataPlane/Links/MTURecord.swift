import Glibc
import Netlink

/// A file that holds an interface's own MTU for as long as a port has raised it, so that the next daemon can restore what a killed one could not.
///
/// A record belongs to the daemon that has locked it; the kernel releases the lock when the process ends. If the file cannot be made, MTUs are restored only
/// when the daemon ends cleanly.
final class MTURecord: Sendable {
    /// A folder of its own that only root can write to, as guests' processes may be able to write to the folder of the sockets.
    private static let folder = "/run/sluice-mtu"

    private let path: String
    private let descriptor: CInt

    /// Makes and locks the record of an interface; nil if that is not possible.
    /// - Parameter index: the interface's index.
    init?(_ index: Int) {
        guard let namespace = Self.namespace else { return nil }
        mkdir(Self.folder, 0o700)
        path = "\(Self.folder)/\(namespace)-\(index)"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return nil }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            return nil
        }
        ftruncate(descriptor, 0)
    }

    /// Records that an interface whose own MTU is `own` is about to be given the MTU `given`.
    func note(own: Int, given: Int) {
        let line = "\(own) \(given)\n"
        _ = line.withCString { write(descriptor, $0, strlen($0)) }
    }

    func remove() {
        unlink(path)
        close(descriptor)
    }

    /// Restores the MTUs that daemons which were killed had raised, unless somebody else has changed them since.
    static func giveBack() {
        guard let namespace = Self.namespace, let entries = opendir(Self.folder) else { return }
        defer { closedir(entries) }
        while let entry = readdir(entries) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) } }
            let parts = name.split(separator: "-")
            // Records of another network namespace belong to the daemons there.
            guard parts.count == 2, parts[0] == "\(namespace)", let index = Int(parts[1]), let record = left("\(Self.folder)/\(name)") else { continue }
            record.giveBack(index)
            record.remove()
        }
    }

    private func giveBack(_ index: Int) {
        var bytes = [UInt8](repeating: 0, count: 4_096)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        let lines = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).split(separator: "\n").map { $0.split(separator: " ").compactMap { Int($0) } }
        guard let links = try? LinkSocket(), let link = try? links.link(index: index) else { return }
        guard let line = lines.last(where: { $0.count == 2 && $0[1] == link.mtu }) else { return }
        try? links.setMTU(link.name, line[0])
    }

    /// Opens a record that another daemon has left.
    /// - Returns: nil if its daemon still runs, or if it cannot be opened.
    private static func left(_ path: String) -> MTURecord? {
        let descriptor = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return nil }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            return nil
        }
        return MTURecord(path, descriptor)
    }

    private init(_ path: String, _ descriptor: CInt) {
        self.path = path
        self.descriptor = descriptor
    }

    /// The number of this thread's network namespace, as an interface's index has a meaning only in its namespace.
    private static var namespace: UInt? {
        var info = stat()
        return stat("/proc/thread-self/ns/net", &info) == 0 ? UInt(info.st_ino) : nil
    }
}
