import Foundation

/// A real Linux guest under QEMU, whose network cards are on vhost-user sockets.
final class Guest {
    struct NIC {
        var mac: String
        var socket: String
        /// Whether QEMU listens on the socket (Sluice's client mode); otherwise, QEMU connects to it, again and again.
        var listens = true
        var queues = 1
        var packed = false
        var mtu: Int?
    }

    let name: String
    private let qemu: ChildProcess
    private var commands = 0
    /// The CPUs on which it runs once it has booted.
    private let cpus: String
    private var isPinned = false
    static let bootSeconds = 60.0

    /// The folder with the guest's kernel and initramfs, which are built once.
    static let image = Result {
        let folder = ProcessInfo.processInfo.environment["SLUICE_LAB"] ?? "\(Build.repository)/.build-lab"
        try SystemTests.run("\(Build.repository)/scripts/lab/guest-image", folder, within: 300)
        return folder
    }

    /// Starts QEMU and returns at once. QEMU itself waits until its vhost-user sockets are connected before the guest boots.
    convenience init(_ lab: Lab, _ name: String, _ nics: [NIC], cpus: String = "0") throws {
        var arguments = ["-object", Guest.memory, "-M", "pc,memory-backend=m0"]
        for (index, nic) in nics.enumerated() {
            let side = nic.listens ? "server=on,wait=off" : "reconnect=1"
            var device = "virtio-net-pci,netdev=n\(index),mac=\(nic.mac)"
            if nic.queues > 1 { device += ",mq=on" }
            if nic.packed { device += ",packed=on" }
            if let mtu = nic.mtu { device += ",host_mtu=\(mtu)" }
            arguments += [
                "-chardev", "socket,id=c\(index),path=\(nic.socket),\(side)",
                "-netdev", "vhost-user,id=n\(index),chardev=c\(index),queues=\(nic.queues)", "-device", device,
            ]
        }
        try self.init(lab, name, arguments: arguments, processors: nics.map(\.queues).max() ?? 1, cpus: cpus)
    }

    convenience init(_ lab: Lab, _ name: String, mac: String, socket: String, listens: Bool = true) throws {
        try self.init(lab, name, [NIC(mac: mac, socket: socket, listens: listens)])
    }

    /// - Parameter arguments: QEMU's arguments for network and shared memory, as `sluice port show --qemu` prints them.
    convenience init(_ lab: Lab, _ name: String, arguments: [String], processors: Int = 1, cpus: String = "0") throws {
        let memory = arguments.contains("-m") ? [] : ["-m", "\(Guest.mebibytes)"]
        // QEMU 7.2 crashes with TCG, vhost-user and MSI-X together.
        let quirks = ["-global", "virtio-net-pci.vectors=0"]
        try self.init(
            lab, name, initramfs: "\(Guest.image.get())/initramfs", kernel: "", machine: quirks + memory + arguments, processors: processors, cpus: cpus)
    }

    /// - Parameters:
    ///   - kernel: additions to the kernel's command line.
    ///   - machine: QEMU's arguments for memory, bus and devices.
    ///   - cpus: the CPUs on which it runs once it has booted. Until then it may run anywhere, because there is nothing to measure yet and several guests boot
    ///     at the same time.
    ///   - namespace: the network namespace in which QEMU runs and creates taps.
    init(
        _ lab: Lab, _ name: String, initramfs: String, kernel: String, machine: [String], processors: Int, cpus: String = "0", namespace: Namespace? = nil
    ) throws {
        self.name = name
        self.cpus = cpus
        let kernel = "console=ttyS0 quiet panic=-1 reboot=t tsc=reliable tsc_early_khz=2300000 lpj=4000000 no_timer_check "
            + "cryptomgr.notests mitigations=off net.ifnames=0 \(kernel) harness"
        let child = try ChildProcess([
            "qemu-system-x86_64", "-name", name, "-accel", "tcg", "-cpu", "max", "-smp", "\(processors)",
            "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio",
            "-kernel", "\(Guest.image.get())/vmlinuz", "-initrd", initramfs, "-append", kernel,
        ] + machine, namespace: namespace?.name, keepsInput: true)
        qemu = child
        lab.atClose { child.stop() }
    }

    private static let mebibytes = 192
    private static let memory = "memory-backend-memfd,id=m0,size=\(mebibytes)M,share=on"

    /// Waits for the guest's shell.
    @discardableResult
    func booted() throws -> Guest {
        _ = try qemu.waitForLine(in: qemu.output, within: Guest.bootSeconds) { $0 == "READY" }
        if !isPinned { try pin() }
        isPinned = true
        return self
    }

    /// Has all threads of QEMU run on the guest's CPUs.
    func pin() throws { try SystemTests.run("taskset", "-a", "-p", "-c", cpus, "\(qemu.pid)") }

    /// QEMU's process, as long as it runs.
    var pid: pid_t { qemu.pid }
    /// What QEMU itself has said.
    var errors: String { qemu.errors.text }

    func configure(_ address: String, interface: String = "eth0") throws {
        try run("ip addr add \(address) dev \(interface) && ip link set \(interface) up")
    }

    /// A command that was given to the guest's shell and has not been answered yet.
    struct Running { fileprivate let number: Int, offset: Int, command: String }

    func begin(_ command: String) throws -> Running {
        commands += 1
        let running = Running(number: commands, offset: qemu.output.count, command: command)
        guard qemu.isRunning else { throw LabError("guest \(name) has ended:\n\(qemu.errors.text)", isFinal: true) }
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

    /// Pings until one answer arrives, which shows that the path is up.
    func reaches(_ address: String, within seconds: Double = 30) throws {
        try eventually("guest \(name) reaches \(address)", within: seconds) {
            try finish("ping -c 1 -W 1 \(address)").status == 0
        }
    }

    /// Creates a file of random content under /tmp, serves /tmp over HTTP, and returns the file's SHA-256.
    func serveRandomFile(_ file: String, kib: Int) throws -> String {
        try run("dd if=/dev/urandom of=/tmp/\(file) bs=1k count=\(kib) 2>/dev/null")
        try run("pidof httpd >/dev/null || httpd -p 80 -h /tmp")
        return try String(run("sha256sum /tmp/\(file)").prefix(64))
    }

    func fetchedDigest(_ url: String, within seconds: Double = 90) throws -> String {
        try String(run("set -o pipefail; timeout 80 wget -q -O - \(url) | sha256sum", within: seconds).prefix(64))
    }

    var isRunning: Bool { qemu.isRunning }
    /// Ends the guest as if its power cord had been pulled.
    func pullThePlug() { qemu.stop() }
}
