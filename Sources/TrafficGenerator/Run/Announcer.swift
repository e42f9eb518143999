import Foundation
import Packet

/// A port from which addresses can be announced.
protocol AnnouncingPort {
    /// - Returns: false if there is no room, or no buffer, for the frame now.
    func send(_ bytes: [UInt8]) -> Bool
    /// Discards frames that have arrived.
    func discard()
}

/// Tells a switch behind which port each source address of a scenario is.
struct Announcer {
    private let scenario: Scenario
    private let ports: [any AnnouncingPort]

    init(_ scenario: Scenario, _ ports: [any AnnouncingPort]) {
        self.scenario = scenario
        self.ports = ports
    }

    /// Announces every source address from its port, three times, and discards the frames that arrive meanwhile.
    func announce() {
        for _ in 0..<3 {
            for (port, mac, vlan) in announcements() {
                let bytes = Announcement.bytes(mac, vlan: vlan, port: port)
                var sent = false
                for _ in 0..<100 where !sent {
                    sent = ports[port].send(bytes)
                    discard(0)
                    if !sent { usleep(100) }
                }
            }
            discard(50_000)
        }
    }

    private func announcements() -> [(Int, MACAddress, UInt16?)] {
        var seen: Set<String> = []
        var list: [(Int, MACAddress, UInt16?)] = []
        func add(_ port: Int, _ mac: MACAddress, _ vlan: UInt16?) {
            if seen.insert("\(port) \(mac) \(vlan ?? 4095)").inserted { list.append((port, mac, vlan)) }
        }
        for flow in TemplateStore.ordered(scenario) {
            for number in 0..<flow.plan.macs { add(flow.source, TemplateStore.source(flow, number, scenario), flow.plan.vlan(ofPair: number)) }
            if let port = flow.destination, !flow.target.isMulticast, flow.target == scenario.ports[port].mac {
                add(port, flow.target, flow.plan.vlan)
            }
        }
        for (index, port) in scenario.ports.enumerated() { add(index, port.mac, nil) }
        return list
    }

    /// Discards the frames that arrive within so many microseconds.
    private func discard(_ microseconds: Int) {
        let end = ContinuousClock.now + .microseconds(microseconds)
        repeat {
            for port in ports { port.discard() }
            if microseconds > 0 { usleep(1_000) }
        } while ContinuousClock.now < end
    }
}
