import Foundation
import Libvirt

/// Reads what libvirt passes to its hook or keeps in files. Both can be read where libvirt itself must not be called, such as in a hook.
enum LibvirtFiles {
    /// The largest input in bytes, which is more than any domain's XML has.
    private static let most = 16 << 20

    /// Whether a domain's XML may concern Sluice at all. If not, it need not be parsed, which spares most domains on many hosts.
    static func mayConcern(_ xml: [UInt8]) -> Bool { contains(xml, "vhostuser") || contains(xml, "urn:sluice:") }

    private static func contains(_ bytes: [UInt8], _ word: StaticString) -> Bool {
        let length = word.utf8CodeUnitCount
        return bytes.withUnsafeBytes { all in
            guard let base = all.baseAddress, all.count >= length else { return false }
            var place = 0
            while place <= all.count - length, let found = memchr(base + place, CInt(word.utf8Start[0]), all.count - length + 1 - place) {
                if memcmp(found, word.utf8Start, length) == 0 { return true }
                place = UnsafeRawPointer(found) - base + 1
            }
            return false
        }
    }

    /// Reads standard input to its end.
    /// - Throws: a sentence if it cannot be read, has more than 16 MiB, or does not end before `deadline`.
    static func standardInput(until deadline: ContinuousClock.Instant) throws -> [UInt8] { try bytes(STDIN_FILENO, "standard input", until: deadline) }

    /// Reads a file.
    /// - Throws: a sentence if it cannot be read, or has more than 16 MiB.
    static func bytes(_ path: String) throws -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Failure("\(path) cannot be read: \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        return try bytes(descriptor, path)
    }

    /// - Parameter deadline: how long to wait for what is still to come; nil: nothing is waited for.
    private static func bytes(_ descriptor: CInt, _ name: String, until deadline: ContinuousClock.Instant? = nil) throws -> [UInt8] {
        var bytes: [UInt8] = [], buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            if let deadline {
                let left = (deadline - .now).components
                let milliseconds = left.seconds * 1_000 + left.attoseconds / 1_000_000_000_000_000
                var waited = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                let ready = poll(&waited, 1, CInt(clamping: max(0, milliseconds)))
                if ready < 0, errno == EINTR { continue }
                guard ready > 0 else { throw Failure("the domain's XML on \(name) did not end in time") }
            }
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Failure("\(name) cannot be read: \(String(cString: strerror(errno)))") }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
            guard bytes.count <= most else { throw Failure("\(name) has more than \(most >> 20) MiB, as no XML of libvirt's has") }
        }
    }

    /// Reads a network from libvirt's file of its running state or, if it does not run, of its definition (network/bridge_driver.c).
    /// - Throws: a sentence if there is no such file, or what is wrong with it.
    static func network(_ name: String) throws -> LibvirtNetwork {
        guard !name.contains("/") else { throw Failure("'\(name)' is no network's name: libvirt allows no / in one") }
        let paths = ["/run/libvirt/network/\(name).xml", "/etc/libvirt/qemu/networks/\(name).xml"]
        guard let path = paths.first(where: { access($0, F_OK) == 0 }) else {
            throw Failure("there is no network \(name): neither \(paths[0]) nor \(paths[1]) is there")
        }
        do { return try LibvirtNetwork(xml: try bytes(path)) } catch { throw Failure("\(path): \(error)") }
    }
}
