import Packet

extension Validator {
    mutating func checkDaemon() {
        check(model.daemon, Fields.all.daemon, "daemon")
        for (index, cpu) in model.daemon.cpus.enumerated() {
            if model.daemon.cpus[..<index].contains(cpu) { add("daemon.cpus", "CPU \(cpu) stands twice: write it once") }
        }
        for (index, core) in model.daemon.cores.enumerated() {
            let path = "daemon.cores[\(index)]"
            if model.daemon.cores[..<index].contains(where: { $0.cpu == core.cpu }) {
                add(path, "CPU \(core.cpu) stands twice: write it once")
            } else if !model.daemon.cpus.isEmpty, !model.daemon.cpus.contains(core.cpu) {
                add(path, "no poll loop runs on CPU \(core.cpu): daemon.cpus is \(model.daemon.cpus.map(String.init).joined(separator: ", "))")
            }
        }
    }

    mutating func checkBridges() {
        checkUnique(model.bridges.map(\.name), "bridges", "bridge")
        for (index, bridge) in model.bridges.enumerated() {
            let path = "bridges[\(index)]"
            checkName(bridge.name, path)
            check(bridge, Fields.all.bridge, path)
            checkSnooping(of: bridge, path)
            checkRest(bridge.rest, rate: bridge.rate, path, "bridge")
            for (position, entry) in bridge.staticEntries.enumerated() {
                let inner = "\(path).static[\(position)]"
                guard let port = ports[entry.port] else {
                    checkReference(entry.port, to: model.ports.map(\.name), inner + ".port", "port")
                    continue
                }
                if port.bridge != bridge.name {
                    add(inner + ".port", "the port \(port.name) is on bridge \(port.bridge), not on \(bridge.name)")
                } else if let vlan = entry.vlan {
                    checkVLAN(vlan, of: port, inner + ".vlan")
                } else if bridgesWithVLANs.contains(bridge.name), PortMembership(port.vlan).native == nil {
                    add(inner, "port \(port.name) has no VLAN for frames without a tag: write vlan for this entry, too")
                }
            }
        }
    }

    mutating func checkPorts() {
        checkUnique(model.ports.map(\.name), "ports", "port")
        checkLoops()
        let bridgeNames = model.bridges.map(\.name)
        let addressed = Set(model.guests.lazy.filter { !$0.macs.isEmpty }.map(\.port))
        let neighbours = Dictionary(grouping: model.ports, by: \.bridge)
        var owners: [String: String] = [:]
        for (index, port) in claiming(model.ports, \.name, .port) {
            let path = "ports[\(index)]"
            checkName(port.name, path, reserved: ["none", ClassDescription.restPath])
            if bridges[port.name] != nil {
                add(path + ".name", "a bridge is called \(port.name) too, and both have a scheduling tree: take another name")
            }
            if bridges[port.bridge] == nil { checkReference(port.bridge, to: bridgeNames, path + ".bridge", "bridge") }
            check(PortDraft(port), Fields.all.port, path)
            if port.isPhysical { checkRest(port.rest, rate: port.rate, path, "port") }
            if let pace = port.pace { checkPace(pace, path + ".pace") }
            checkVLAN(port, path + ".vlan")
            checkRules(of: port, path, neighbours: neighbours[port.bridge] ?? [], addressed: addressed)
            if port.spoofCheck, !addressed.contains(port.name) {
                add(
                    path + ".spoof-check",
                    "spoof-check would drop everything from \(port.name), as no guest there has macs: write macs for a guest of"
                        + " port \(port.name), or leave spoof-check out")
            }
            checkKind(port, path, &owners)
        }
    }

    private mutating func checkRest(_ rest: RestSettings, rate: UInt64?, _ path: String, _ noun: String) {
        if rest == RestSettings() { return }
        guard rate != nil else {
            add(path + ".rest", "rest is what floors leave of a rate, and the \(noun) has none: set its rate too, or leave rest out")
            return
        }
        var settings = ClassSettings()
        (settings.floor, settings.ceiling, settings.priority) = (rest.floor, rest.ceiling, rest.priority)
        checkClass(settings, path + ".rest")
    }

    private mutating func checkVLAN(_ port: PortSettings, _ path: String) {
        guard let vlan = port.vlan else { return }
        let membership = PortMembership(vlan)
        if case .trunk = vlan, membership.members.isEmpty { add(path + ".trunk", "a trunk has at least one VLAN: write trunk: [10, 20-29]") }
        if case .service = vlan { return }
        if let native = membership.native, serviceVLANs[port.bridge]?.contains(native) ?? false {
            add(path, "VLAN \(native) is a service VLAN on bridge \(port.bridge), for frames of any tags: write another VLAN, or {service: \(native)}")
        }
    }

    private mutating func checkPace(_ pace: PaceSettings, _ path: String) {
        if let peak = pace.peak, peak > 0, peak < pace.average {
            let average = Quantity.rate.format(pace.average)
            add(path + ".peak", "the peak \(Quantity.rate.format(peak)) is below the average \(average): write at least \(average)")
        }
    }

    /// Refuses a physical port whose device is the tap of another port, as frames sent there would come back.
    private mutating func checkLoops() {
        let taps = Dictionary(
            model.ports.enumerated().compactMap { index, port in if case .tap(let interface, nil, _) = port.kind { (interface, (index, port.name)) } else { nil } },
            uniquingKeysWith: { first, _ in first })
        if taps.isEmpty { return }
        for (index, port) in model.ports.enumerated() {
            guard case .physical(let device, _) = port.kind else { continue }
            let interface = device.split(separator: ",").first { $0.hasPrefix("iface=") }.map { String($0.dropFirst(6)) } ?? device
            guard let (tapIndex, tap) = taps[interface] else { continue }
            if isChanged(tap, .port) {
                add("ports[\(tapIndex)].interface", "the interface \(interface) is port \(port.name)'s device: frames sent there would come back; write another name")
            } else {
                add("ports[\(index)].device", "the interface \(interface) is port \(tap)'s tap: frames sent there would come back; write another device")
            }
        }
    }

    static func nextDevice(_ name: String) -> String {
        let stem = name.reversed().drop { $0.isNumber }.reversed()
        let number = Int(name.dropFirst(stem.count)) ?? 0
        return String(stem) + String(number &+ 1)
    }

    /// Whether the kernel accepts the name (dev_valid_name in net/core/dev.c) and all its characters are printable.
    static func isInterfaceName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 15 && name != "." && name != ".."
            && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ":") }
    }
}
