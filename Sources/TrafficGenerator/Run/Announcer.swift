import DPDKShim
import Foundation
import Packet

/// Tells a switch behind which port each source address of a scenario is.
struct Announcer {
    private let scenario: Scenario
    private let ports: [OpenPort]
    private let pool: OpaquePointer

    init(_ scenario: Scenario, _ ports: [OpenPort], _ pool: OpaquePointer) {
        self.scenario = scenario
        self.ports = ports
        self.pool = pool
    }

    /// Announces every source address from its port, three times, and discards the frames that arrive meanwhile.
    func announce() {
        for _ in 0..<3 {
            for (port, mac, vlan) in announcements() {
                let bytes = Announcement.bytes(mac, vlan: vlan, port: port)
                guard let frame = sluice_frame_allocate(pool, UInt16(bytes.count)) else { continue }
                sluice_frame_bytes(frame)?.copyMemory(from: bytes, byteCount: bytes.count)
                var one: OpaquePointer? = frame
                var sent: UInt16 = 0
                for _ in 0..<100 where sent == 0 {
                    sent = sluice_device_send(ports[port].device, 0, &one, 1)
                    discard(0)
                    if sent == 0 { usleep(100) }
                }
                if sent == 0 { sluice_frame_free(frame) }
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

    /// Receives and frees the frames that arrive within so many microseconds.
    private func discard(_ microseconds: Int) {
        let end = ContinuousClock.now + .microseconds(microseconds)
        var batch = [OpaquePointer?](repeating: nil, count: SendStage.burst)
        repeat {
            for port in ports {
                for queue in 0..<port.queues {
                    let count = sluice_device_receive(port.device, queue, &batch, UInt16(batch.count))
                    if count > 0 { sluice_frames_free(&batch, UInt32(count)) }
                }
            }
            if microseconds > 0 { usleep(1_000) }
        } while ContinuousClock.now < end
    }
}
