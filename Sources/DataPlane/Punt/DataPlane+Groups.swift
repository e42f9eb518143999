import Bridge
import Configuration
import DPDKShim
import LinkProtocols
import Packet
import Scheduler

/// Bridges that follow groups: frames that loops punt go to the bridges' state machines, and what these find out goes back to the loops.
extension DataPlane {
    /// Gives the frames that loops have punted to the switch's own protocols.
    func takePunted() {
        let now = runtime.now
        for index in runtime.lcores.indices {
            // The number is limited to a few milliseconds' work, so that other work of the control thread is not held up.
            for _ in 0..<1_024 {
                guard let frame = (runtime.lcores.baseAddress! + index).pointee.punts.ring.pop() else { break }
                handle(frame, now)
            }
        }
    }

    private func handle(_ frame: PuntedFrame, _ now: Nanoseconds) {
        switch frame.kind {
        case .group:
            guard let groups = bridgesOfPorts[Int(frame.port)].flatMap({ bridges[$0]?.groups }) else { return }
            _ = groups.snooper.receive(frame.bytes, port: frame.port, vlan: frame.vlan, now: now)
        case .lldp: hear(frame, now)
        }
    }

    /// Advances the state machines to the present time: memberships end, and queries are sent.
    func advanceGroups() {
        let now = runtime.now
        var injections: [UnsafeMutablePointer<Injection>] = []
        for (name, bridge) in bridges {
            guard let groups = bridge.groups, let due = groups.snooper.nextDeadline, due <= now else { continue }
            injections += groups.snooper.advance(to: now).map { inject($0, on: name) }
        }
        finish(injections)
        renewGroupTables(now)
    }

    /// Frees injections when the loops have sent them.
    func finish(_ injections: [UnsafeMutablePointer<Injection>]) {
        if injections.isEmpty { return }
        awaitCommands()
        for injection in injections {
            injection.pointee.deallocate()
            injection.deallocate()
        }
    }

    /// Makes new tables where the present ones are out of date. It waits some time after the last renewal, so that hosts that join and leave without end cost
    /// no more than that.
    /// - Parameter isUrgent: whether to make them without that wait.
    private func renewGroupTables(_ now: Nanoseconds, isUrgent: Bool = false) {
        var old: [UnsafeMutablePointer<GroupTable>?] = []
        for bridge in bridges.values {
            guard let groups = bridge.groups, groups.needsTable, isUrgent || now - groups.madeAt > 10_000_000 else { continue }
            old.append(groups.renewTable(now: now))
        }
        if old.isEmpty { return }
        runtime.grace.wait()
        for table in old { BridgeGroups.free(table) }
    }

    /// Makes bridges follow groups as the model says. The state of those that no longer do is freed once no loop has a snapshot with it.
    func adoptGroups() {
        for name in bridges.keys {
            let isOn = bridges[name]!.settings.snooping.isOn
            guard isOn != (bridges[name]!.groups != nil) else { continue }
            if let old = bridges[name]!.groups { retiredGroups.append(old) }
            bridges[name]!.groups = isOn ? BridgeGroups(bridges[name]!.settings.snooping) : nil
        }
    }

    /// Tells the state machines which ports there are. Ports that are down are left out, as they have joined nothing.
    func followGroupPorts() {
        bridgesOfPorts = [String?](repeating: nil, count: maxPorts)
        for port in ports.values { bridgesOfPorts[Int(port.index)] = port.settings.bridge }
        for (name, bridge) in bridges {
            guard let groups = bridge.groups else { continue }
            var up: [PortIndex: LinkProtocols.PortSnooping] = [:]
            for port in ports.values where port.settings.bridge == name && port.sightNow.isUp { up[port.index] = .init(port.settings.rules.snooping) }
            groups.adopt(bridge.settings.snooping, ports: up, members: bridge.sets == nil ? nil : bridge.setMembers, now: runtime.now)
        }
    }

    /// Makes a loop send a frame of the switch's own by ports of a bridge.
    /// - Returns: memory that must be freed once the loop has done so.
    private func inject(_ frame: Outgoing, on bridge: String) -> UnsafeMutablePointer<Injection> {
        let all = ports.values.filter { $0.settings.bridge == bridge }.map(\.index).sorted()
        let injection = UnsafeMutablePointer<Injection>.allocate(capacity: 1)
        injection.initialize(to: Injection(frame.frame, vlan: frame.vlan, ports: frame.port.map { [$0] } ?? all))
        send(.inject(injection), to: 0)
        return injection
    }
}

extension LinkProtocols.SnoopingSettings {
    init(_ settings: Configuration.SnoopingSettings) {
        self.init()
        querier = switch settings.querier {
        case .off: .off
        case .on: .on
        case .auto: .auto
        }
        querierAddress = settings.querierAddress.map { $0.bytes.reduce(0) { $0 << 8 | UInt32($1) } }
        groupLimit = settings.maxGroups
    }
}

extension LinkProtocols.PortSnooping {
    init(_ settings: Configuration.PortSnooping) {
        self.init()
        fastLeave = settings.fastLeave
        router = switch settings.router {
        case .auto: .auto
        case .never: .never
        case .always: .always
        }
        groupLimit = settings.maxGroups
    }
}

extension DataPlane {
    /// What one bridge knows about groups.
    public struct GroupReport: Sendable {
        public var bridge: String
        /// The names of its ports, by index.
        public var ports: [UInt16: String]
        public var memberships: [MembershipEntry]
        public var routers: [RouterEntry]
        public var queriers: [QuerierEntry]
    }

    /// What the bridges know about groups. When this returns, the loops act on it as well.
    /// - Parameter bridge: the bridge to report; nil: all that follow groups.
    public func groupReports(bridge: String?) -> [GroupReport] {
        let now = runtime.now
        renewGroupTables(now, isUrgent: true)
        return bridges.sorted { $0.key < $1.key }.compactMap { name, state in
            guard bridge == nil || bridge == name, let snooper = state.groups?.snooper else { return nil }
            let names = ports.values.filter { $0.settings.bridge == name }.map { ($0.index, $0.settings.name) }
            return GroupReport(
                bridge: name, ports: Dictionary(names) { first, _ in first }, memberships: snooper.memberships(now: now), routers: snooper.routers(now: now),
                queriers: snooper.queriers(now: now))
        }
    }
}
