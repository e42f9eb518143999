import Glibc
import Packet

extension MACAddress {
    /// The address of a tap for which none is configured: the same at every start, so that the host's neighbours find it again, and another one on every
    /// machine. It is derived from the machine's identity (machine-id(5)) and is locally administered (IEEE 802).
    /// - Parameter namespace: the network namespace that the interface is moved to.
    /// - Returns: nil if the machine has no identity; the kernel chooses an address then.
    static func stable(interface: String, namespace: String?) -> MACAddress? {
        machineID.map { stable(machine: $0, interface: interface, namespace: namespace) }
    }

    /// The address of a port whose device has none, from which the switch speaks on it: derived in the same way from the machine and the port's name, and no
    /// tap's. On a machine without an identity it depends on the name alone.
    static func stable(port: String) -> MACAddress { stable(machine: machineID ?? "", port: port) }

    package static func stable(machine: String, port: String) -> MACAddress {
        // No interface has a slash in its name.
        stable(machine: machine, interface: "port/\(port)", namespace: nil)
    }

    package static func stable(machine: String, interface: String, namespace: String?) -> MACAddress {
        // FNV-1a, whose last bytes are mixed into all bits as in SplitMix64. A slash is in neither of the names.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in "sluice/\(machine)/\(namespace ?? "")/\(interface)".utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        hash = (hash ^ hash >> 30) &* 0xbf58_476d_1ce4_e5b9
        hash = (hash ^ hash >> 27) &* 0x94d0_49bb_1331_11eb
        hash ^= hash >> 31
        let local: UInt64 = 0x02_00_00_00_00_00, group: UInt64 = 0x01_00_00_00_00_00
        return MACAddress(value: (hash & 0xffff_ffff_ffff | local) & ~group)
    }

    private static var machineID: String? {
        for path in ["/etc/machine-id", "/var/lib/dbus/machine-id"] {
            guard let file = fopen(path, "re") else { continue }
            defer { fclose(file) }
            var text = [CChar](repeating: 0, count: 33)
            guard fgets(&text, CInt(text.count), file) != nil else { continue }
            let identity = String(decoding: text.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            // Before the first boot the file says "uninitialized".
            if identity.utf8.count == 32 { return identity }
        }
        return nil
    }
}
