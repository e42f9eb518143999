import Foundation

/// A real Linux guest under QEMU, its network cards on vhost-user sockets.
final class Guest {
    struct NIC {
        var mac: String
        var socket: String
        /// True: QEMU listens on the socket (Sluice's client mode); false: QEMU connects to it, again and again.
        var listens = true
        var queues = 1
        var packed = false
        var mtu: Int?
    }

    let name: String
    let nics: [NIC]
    private let qemu: ChildProcess
    private let lab: Lab
    private var commands = 0
    static let bootSeconds = 60.0

    /// Folder with the guest's kernel and initramfs, built once.
    private static let image = Result<String, Error> {
        let folder = ProcessInfo.processInfo.environment["SLUICE_LAB"] ?? "\(Build.repository)/.build-lab"
        try SystemTests.run("\(Build.repository)/scripts/lab/guest-image", folder, within: 300)
        return folder
    }

    /// Starts QEMU without waiting: QEMU itself waits for its vhost-user sockets to be connected before the guest boots.
    init(_ lab: Lab, _ name: String, _ nics: [NIC], cpus: String = "0") throws {
        (self.lab, self.name, self.nics) = (lab, name, nics)
        let image = try Guest.image.get()
        let memory = 192
        let queues = nics.map(\.queues).max() ?? 1
        var arguments = [
            "qemu-system-x86_64", "-name", name, "-accel", "tcg", "-cpu", "max", "-m", "\(memory)", "-smp", "\(queues)",
            "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio",
            "-object", "memory-backend-memfd,id=m0,size=\(memory)M,share=on", "-M", "pc,memory-backend=m0",
        ]
        for (index, nic) in nics.enumerated() {
            let side = nic.listens ? "server=on,wait=off" : "reconnect=1"
            // vectors=0: QEMU 7.2 crashes with TCG, vhost-user and MSI-X together.
            var device = "virtio-net-pci,netdev=n\(index),mac=\(nic.mac),vectors=0"
            if nic.queues > 1 { device += ",mq=on" }
            if nic.packed { device += ",packed=on" }
            if let mtu = nic.mtu { device += ",host_mtu=\(mtu)" }
            arguments += [
                "-chardev", "socket,id=c\(index),path=\(nic.socket),\(side)",
                "-netdev", "vhost-user,id=n\(index),chardev=c\(index),queues=\(nic.queues)", "-device", device,
            ]
        }
        arguments += [
            "-kernel", "\(image)/vmlinuz", "-initrd", "\(image)/initramfs",
            "-append", "console=ttyS0 quiet panic=-1 reboot=t tsc=reliable tsc_early_khz=2300000 lpj=4000000 no_timer_check mitigations=off net.ifnames=0 harness",
        ]
        let child = try ChildProcess(arguments, cpus: cpus, keepsInput: true)
        qemu = child
        lab.atClose { child.stop() }
    }

    convenience init(_ lab: Lab, _ name: String, mac: String, socket: String, listens: Bool = true) throws {
        try self.init(lab, name, [NIC(mac: mac, socket: socket, listens: listens)])
    }

    /// Waits for the shell.
    @discardableResult
    func booted() throws -> Guest {
        _ = try qemu.waitForLine(in: qemu.output, within: Guest.bootSeconds) { $0 == "READY" }
        return self
    }

    func configure(_ address: String, interface: String = "eth0") throws {
        try run("ip addr add \(address) dev \(interface) && ip link set \(interface) up")
    }

    /// A command that was given to the guest's shell and has not been answered yet.
    struct Running { fileprivate let number: Int, offset: Int, command: String }

    func begin(_ command: String) throws -> Running {
        commands += 1
        let running = Running(number: commands, offset: qemu.output.count, command: command)
        guard qemu.isRunning else { throw LabError("guest \(name) has ended:\n\(qemu.errors.text)") }
        try qemu.write("\(commands) \(command)\n")
        return running
    }

    func end(_ running: Running, within seconds: Double = 60) throws -> (status: Int, output: String) {
        let marker = "@@\(running.number) "
        let found = qemu.output.wait(from: running.offset, until: .after(seconds)) { text -> (Int, String)? in
            guard let start = text.range(of: marker), let end = text.range(of: "\n", range: start.upperBound..<text.endIndex),
                let status = Int(text[start.upperBound..<end.lowerBound])
            else { return nil }
            return (status, String(text[..<start.lowerBound]))
        }
        if let found { return found }
        throw LabError(
            "guest \(name) did not answer '\(running.command)' within \(Int(seconds)) s; it said:\n"
                + qemu.output.text(from: running.offset) + qemu.errors.text)
    }

    func finish(_ command: String, within seconds: Double = 60) throws -> (status: Int, output: String) {
        try end(begin(command), within: seconds)
    }

    @discardableResult
    func run(_ command: String, within seconds: Double = 60) throws -> String {
        let result = try finish(command, within: seconds)
        guard result.status == 0 else { throw LabError("in guest \(name): \(command) ended with \(result.status):\n\(result.output)") }
        return result.output
    }

    /// Pings until one answer comes: the path is up.
    func reaches(_ address: String, within seconds: Double = 30) throws {
        try eventually("guest \(name) reaches \(address)", within: seconds) {
            try finish("ping -c 1 -W 1 \(address)").status == 0
        }
    }

    /// Makes a file of random content under /tmp, serves /tmp over HTTP, and answers the file's SHA-256.
    func serveRandomFile(_ file: String, kib: Int) throws -> String {
        try run("dd if=/dev/urandom of=/tmp/\(file) bs=1k count=\(kib) 2>/dev/null")
        try run("pidof httpd >/dev/null || httpd -p 80 -h /tmp")
        return try String(run("sha256sum /tmp/\(file)").prefix(64))
    }

    func fetchedDigest(_ url: String, within seconds: Double = 90) throws -> String {
        try String(run("set -o pipefail; timeout 80 wget -q -O - \(url) | sha256sum", within: seconds).prefix(64))
    }

    var isRunning: Bool { qemu.isRunning }
    /// The guest's power cord.
    func pullThePlug() { qemu.stop() }
}
