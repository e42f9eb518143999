import Configuration

/// What a configuration names and a host does not have, for whoever checks a file before a daemon runs it.
extension Checks {
    /// Warnings with their places in the document. The file may be for another host, which they say.
    public static func lacks(of model: Model, _ facts: HostFacts) -> [String] {
        (cpus(of: model, facts) + interfaces(of: model, facts)).map { "\($0.path): this host has \($0.lack)\($0.effect), unless the file is for another host" }
    }

    private typealias Lack = (path: String, lack: String, effect: String)

    private static func cpus(of model: Model, _ facts: HostFacts) -> [Lack] {
        // Where the kernel's list cannot be read, nothing is claimed.
        guard !facts.cpus.isEmpty else { return [] }
        let present = ranges(facts.cpus.keys.sorted())
        func lack(_ path: String, _ cpu: Int, _ effect: String) -> Lack? {
            facts.cpus[cpu] == nil ? (path, "no CPU \(cpu), but \(present)", effect) : nil
        }
        var lacks = model.daemon.cpus.compactMap { lack("daemon.cpus", $0, ": sluiced would not start") }
        lacks += model.daemon.cores.enumerated().compactMap { lack("daemon.cores[\($0)].cpu", $1.cpu, ", and no poll loop there") }
        for (index, port) in model.ports.enumerated() {
            lacks += port.cpus.compactMap { lack("ports[\(index)].cpus", $0, ", and no poll loop there") }
        }
        return lacks
    }

    private static func interfaces(of model: Model, _ facts: HostFacts) -> [Lack] {
        guard !facts.interfaces.isEmpty else { return [] }
        return model.ports.enumerated().compactMap { index, port in
            guard case .physical(let device, _) = port.kind else { return nil }
            let name = String(device.prefix { $0 != "," }), effect = ": port \(port.name) would stay failed"
            if Needs.isPCIAddress(name) {
                let address = name.utf8.count == 7 ? "0000:" + name : name
                return facts.devices[address] == nil ? ("ports[\(index)].device", "no PCI device \(name)", effect) : nil
            }
            // Other drivers of DPDK's take no interface, or make the one that they are given.
            let string = DeviceString(device)
            let interface = name.hasPrefix("net_") ? (string.isAFXDP || string.isAFPacket ? string.value(of: "iface") : nil) : name
            guard let interface, !facts.interfaces.contains(interface) else { return nil }
            return ("ports[\(index)].device", "no interface \(interface)", effect)
        }
    }

    /// Numbers in ascending order as a list of ranges, such as `0-3, 8`.
    private static func ranges(_ numbers: [Int]) -> String {
        var ranges: [ClosedRange<Int>] = []
        for number in numbers {
            if let last = ranges.last, last.upperBound + 1 == number {
                ranges[ranges.count - 1] = last.lowerBound...number
            } else {
                ranges.append(number...number)
            }
        }
        return ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ", ")
    }
}
