import Foundation

/// A QEMU process in which a guest is that echoes frames (scripts/lab/migration-traffic.c), or to which it is going to migrate.
final class MigratingGuest {
    /// In KiB. Before QEMU 9.0, TCG forgets some of what its CPUs write during a migration if this is a multiple of 256 (see scripts/lab/migration).
    private static let memory = 320 * 1024 + 64

    let guest: Guest
    let monitor: QEMUMonitor
    private let memory: String

    /// - Parameters:
    ///   - nic: its network card. QEMU listens at the card's socket.
    ///   - options: additions to the card's words.
    ///   - image: what `image` made.
    ///   - incoming: the socket to which the guest will migrate; nil: it boots here.
    init(_ lab: Lab, _ name: String, _ nic: Guest.NIC, options: String, image: String, incoming: String? = nil) throws {
        let queues = nic.queues
        var words = [
            "-m", "\(Self.memory)k", "-object", "memory-backend-memfd,id=m0,size=\(Self.memory)K,share=on", "-M", "pc,memory-backend=m0",
            "-global", "virtio-net-pci.vectors=0", "-qmp", "unix:\(lab.path(name)).qmp,server=on,wait=off",
            "-chardev", "socket,id=c0,path=\(nic.socket),server=on,wait=off", "-netdev", "vhost-user,id=n0,chardev=c0,queues=\(queues)",
            "-device", "virtio-net-pci,netdev=n0,mac=\(nic.mac)\(queues > 1 ? ",mq=on" : "")\(nic.packed ? ",packed=on" : "")"
                + "\(nic.mtu.map { ",host_mtu=\($0)" } ?? "")\(options)",
        ]
        // It stands still after the migration, so that nothing has changed its memory when that is compared.
        if let incoming { words += ["-incoming", "unix:\(incoming)", "-S"] }
        // The kernel would clear every page that it gives to its driver, which would hide that the switch's writes there are not logged.
        guest = try Guest(lab, name, initramfs: image, kernel: "init_on_alloc=0", machine: words, processors: queues)
        monitor = try QEMUMonitor("\(lab.path(name)).qmp")
        let folder = "/proc/\(guest.pid)/fd"
        let files = try FileManager.default.contentsOfDirectory(atPath: folder).map { "\(folder)/\($0)" }
        let isMemory: (String) -> Bool = { (try? FileManager.default.destinationOfSymbolicLink(atPath: $0))?.contains("memory-backend-memfd") == true }
        guard let file = files.first(where: isMemory) else {
            throw LabError("QEMU has no file with the guest's memory:\n\(guest.errors)")
        }
        memory = file
    }

    /// Builds the traffic's program and an initramfs that has it.
    /// - Returns: both files.
    static func image(_ lab: Lab) throws -> (program: String, initramfs: String) {
        let program = lab.path("traffic"), initramfs = lab.path("initramfs")
        // The compiler is part of Swift. The guest may lack the libraries.
        try run("clang", "-O2", "-static", "-pthread", "-o", program, "\(Build.repository)/scripts/lab/migration-traffic.c")
        try FileManager.default.createDirectory(atPath: lab.path("root/bin"), withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: program, toPath: lab.path("root/bin/traffic"))
        // The kernel unpacks one archive after the other.
        try run("sh", "-c", "{ cat '\(Guest.image.get())/initramfs'; cd '\(lab.path("root"))' && find . | cpio --quiet -o -H newc | gzip -1; } >'\(initramfs)'")
        return (program, initramfs)
    }

    /// The numbers of the pages of 4 KiB that differ between two machines.
    func differences(to other: MigratingGuest) throws -> [Int] {
        let mine = try map(), theirs = try other.map()
        defer { for place in [mine, theirs] { munmap(place, Self.memory * 1024) } }
        return (0..<Self.memory / 4).filter { memcmp(mine + $0 * 4096, theirs + $0 * 4096, 4096) != 0 }
    }

    private func map() throws -> UnsafeMutableRawPointer {
        let descriptor = open(memory, O_RDONLY | O_CLOEXEC)
        defer { close(descriptor) }
        guard let place = mmap(nil, Self.memory * 1024, PROT_READ, MAP_SHARED, descriptor, 0), place != MAP_FAILED else {
            throw LabError("the guest's memory, \(memory): \(String(cString: strerror(errno)))")
        }
        return place
    }

    /// Has the guest echo frames and keep their contents.
    func echo() throws {
        try guest.run("echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6; ip addr add 10.0.0.1/24 dev eth0; ip link set eth0 up")
        try guest.run("(traffic guest eth0 /tmp/report >/tmp/errors 2>&1 & echo $! >/tmp/pid)")
        // It echoes when it takes this signal.
        try guest.run("until grep -q '^SigCgt:.*[1-9a-f]' /proc/$(cat /tmp/pid)/status; do sleep 0.05; done")
    }

    /// What the guest found in its memory, and what it received.
    func report() throws -> JSON {
        try JSON(guest.run("rm -f /tmp/report; kill -USR1 $(cat /tmp/pid); until [ -e /tmp/report ]; do sleep 0.05; done; cat /tmp/report"))
    }
}
