import Glibc

/// Reads the facts of a host from /proc, /sys, /dev and /etc.
public struct HostReader: Sendable {
    /// The folder that stands for `/`; empty for the host itself. Tests make one up.
    private let root: String

    public init(root: String = "") { self.root = root }

    /// - Parameters:
    ///   - needs: what is asked of the host, which says what has to be looked at.
    ///   - daemon: whether a daemon runs.
    ///   - process: the daemon's process id, or nil for this program itself, whose privileges and limits count then.
    public func facts(_ needs: Needs, daemon: HostFacts.Daemon, process: Int32?) -> HostFacts {
        var facts = HostFacts()
        facts.daemon = daemon
        facts.cpus = cpus()
        facts.hugepages = hugepages()
        facts.isolated = Self.set(text("/sys/devices/system/cpu/isolated"))
        facts.tickless = Self.set(text("/sys/devices/system/cpu/nohz_full"))
        facts.files = Set(["/dev/net/tun", "/dev/vhost-net", "/dev/vfio/vfio"].filter(exists))
        for address in needs.pciAddresses where exists("/sys/bus/pci/devices/\(address)") { facts.devices[address] = device(address) }
        facts.interfaces = Set(names("/sys/class/net"))
        facts.drivers = drivers()
        let status = "/proc/\(process.map(String.init) ?? "self")"
        facts.capabilities = line("CapEff:", of: "\(status)/status").flatMap { UInt64($0.last ?? "", radix: 16) }
        facts.limits.lockedMemory = line("Max locked memory", of: "\(status)/limits").flatMap { UInt64($0[0]) }
        // The daemon raises the limit as far as it may (the second figure).
        facts.limits.openFiles = line("Max open files", of: "\(status)/limits").flatMap { $0.count > 1 ? UInt64($0[1]) : nil }
        facts.qemuUser = qemuUser()
        facts.isHookInstalled = ["/etc/libvirt/hooks/qemu.d/50-sluice", "/etc/libvirt/hooks/qemu"].contains { text($0)?.contains("sluice") ?? false }
        for path in needs.folders { facts.folders[path] = folder(path, for: facts.qemuUser) }
        return facts
    }

    // MARK: Processors and memory

    private func cpus() -> [Int: HostFacts.CPU] {
        var cpus: [Int: HostFacts.CPU] = [:]
        let nodes = nodes().map { (number: $0, cpus: Self.set(text("/sys/devices/system/node/node\($0)/cpulist"))) }
        for number in Self.set(text("/sys/devices/system/cpu/online")) {
            var cpu = HostFacts.CPU()
            cpu.node = nodes.first { $0.cpus.contains(number) }?.number ?? 0
            cpu.siblings = Self.set(text("/sys/devices/system/cpu/cpu\(number)/topology/thread_siblings_list"))
            cpu.governor = text("/sys/devices/system/cpu/cpu\(number)/cpufreq/scaling_governor")
            cpus[number] = cpu
        }
        return cpus
    }

    private func nodes() -> [Int] { names("/sys/devices/system/node").compactMap { $0.hasPrefix("node") ? Int($0.dropFirst(4)) : nil }.sorted() }

    private func hugepages() -> [HostFacts.Hugepages] {
        let nodes = nodes().map { (node: $0, path: "/sys/devices/system/node/node\($0)/hugepages") }
        // A kernel without NUMA has its hugepages in one place only.
        return (nodes.isEmpty ? [(node: 0, path: "/sys/kernel/mm/hugepages")] : nodes).flatMap { node, path in
            names(path).sorted().compactMap { name -> HostFacts.Hugepages? in
                guard name.hasPrefix("hugepages-"), let kibibytes = UInt64(name.dropFirst(10).prefix { $0.isNumber }) else { return nil }
                func figure(_ file: String) -> UInt64 { text("\(path)/\(name)/\(file)").flatMap { UInt64($0) } ?? 0 }
                return HostFacts.Hugepages(
                    folder: "\(path)/\(name)", node: node, size: kibibytes << 10, total: figure("nr_hugepages"), free: figure("free_hugepages"))
            }
        }
    }

    // MARK: Devices and drivers

    private func device(_ address: String) -> HostFacts.Device {
        var device = HostFacts.Device()
        device.driver = link("/sys/bus/pci/devices/\(address)/driver")
        device.hasIOMMU = exists("/sys/bus/pci/devices/\(address)/iommu_group")
        return device
    }

    /// EAL loads every library of this folder: lib/ARCHITECTURE/dpdk/pmds-VERSION/librte_NAME.so.VERSION.
    private func drivers() -> Set<String>? {
        for library in ["/usr/lib", "/usr/local/lib"] {
            for place in [""] + names(library).filter({ $0.contains("-linux-gnu") }).map({ "/\($0)" }) {
                let folder = "\(library)\(place)/dpdk"
                guard let plugins = names(folder).filter({ $0.hasPrefix("pmds-") }).max() else { continue }
                let found = names("\(folder)/\(plugins)").filter { $0.hasPrefix("librte_") }
                if !found.isEmpty { return Set(found.map { String($0.dropFirst(7).prefix { $0 != "." }) }) }
            }
        }
        return nil
    }

    // MARK: libvirt

    /// The user of libvirt's QEMU; nil: there is no libvirt.
    private func qemuUser() -> String? {
        guard exists("/usr/sbin/libvirtd") || exists("/usr/sbin/virtqemud") else { return nil }
        for line in (text("/etc/libvirt/qemu.conf") ?? "").split(separator: "\n") where line.hasPrefix("user") {
            let parts = line.split(separator: "=", maxSplits: 1)
            if parts.count == 2, parts[0].filter({ $0 != " " }) == "user" { return String(parts[1].filter { !" \"+".contains($0) }) }
        }
        return ["libvirt-qemu", "qemu"].first { entry($0, of: "/etc/passwd") != nil } ?? "root"
    }

    private func folder(_ path: String, for user: String?) -> HostFacts.Folder {
        var folder = HostFacts.Folder()
        var status = stat()
        guard stat(root + path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { return folder }
        folder.exists = true
        folder.group = groups().first { $0.number == status.st_gid }?.name ?? "\(status.st_gid)"
        guard let user else { return folder }
        if user == "root" || user == "0" {
            folder.isWritableForQEMU = true
            return folder
        }
        // What an access list says is more than the mode shows; nothing is claimed then.
        guard !hasAccessList(path), let entry = entry(user, of: "/etc/passwd"), entry.count > 3, let number = uid_t(entry[2])
        else { return folder }
        let isMember = gid_t(entry[3]) == status.st_gid || groups().contains { $0.number == status.st_gid && $0.members.contains(user) }
        let bits = number == status.st_uid ? status.st_mode >> 6 : isMember ? status.st_mode >> 3 : status.st_mode
        // To make a file takes the rights to write and to pass.
        folder.isWritableForQEMU = bits & 3 == 3
        return folder
    }

    /// Swift's Glibc module leaves getxattr(2) out, so it is looked up by its name.
    private func hasAccessList(_ path: String) -> Bool {
        typealias Function = @convention(c) (UnsafePointer<CChar>, UnsafePointer<CChar>, UnsafeMutableRawPointer?, Int) -> Int
        guard let symbol = dlsym(nil, "getxattr") else { return false }
        return unsafeBitCast(symbol, to: Function.self)(root + path, "system.posix_acl_access", nil, 0) >= 0
    }

    private func groups() -> [(name: String, number: gid_t, members: [String])] {
        (text("/etc/group") ?? "").split(separator: "\n").compactMap { line in
            let parts = line.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 4, let number = gid_t(parts[2]) else { return nil }
            return (String(parts[0]), number, parts[3].split(separator: ",").map(String.init))
        }
    }

    /// The parts of a line that begins with a name, as passwd(5) has it.
    private func entry(_ name: String, of file: String) -> [String]? {
        (text(file) ?? "").split(separator: "\n").first { $0.hasPrefix("\(name):") }?.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    }

    // MARK: Files

    /// The words behind `label` of the first line that begins with it.
    private func line(_ label: String, of file: String) -> [String]? {
        guard let line = (text(file) ?? "").split(separator: "\n").first(where: { $0.hasPrefix(label) }) else { return nil }
        let words = line.dropFirst(label.count).split(whereSeparator: \.isWhitespace).map(String.init)
        return words.isEmpty ? nil : words
    }

    private func exists(_ path: String) -> Bool { access(root + path, F_OK) == 0 }

    /// The text of a file, without its last line's end; nil if it cannot be read. No file that is read here is longer.
    private func text(_ path: String) -> String? {
        guard let file = fopen(root + path, "re") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 18)
        let count = fread(&bytes, 1, bytes.count, file)
        guard ferror(file) == 0 else { return nil }
        let text = String(decoding: bytes[..<count], as: UTF8.self)
        return text.hasSuffix("\n") ? String(text.dropLast()) : text
    }

    /// The last part of what a symbolic link leads to.
    private func link(_ path: String) -> String? {
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink(root + path, &bytes, bytes.count)
        guard count > 0 else { return nil }
        return String(decoding: bytes[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self).split(separator: "/").last.map(String.init)
    }

    private func names(_ path: String) -> [String] {
        guard let folder = opendir(root + path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }

    /// The numbers of a list such as 0-3,8; nothing of a text that is none, such as "(null)".
    static func set(_ text: String?) -> Set<Int> {
        var numbers: Set<Int> = []
        for part in (text ?? "").split(separator: ",") {
            let ends = part.split(separator: "-").map { Int($0) }
            guard let first = ends.first ?? nil, let last = ends.last ?? nil, first <= last, last - first < 65_536 else { continue }
            numbers.formUnion(first...last)
        }
        return numbers
    }
}
