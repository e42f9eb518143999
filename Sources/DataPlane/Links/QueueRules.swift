import DPDKShim
import Glibc
import Packet

/// The rules by which a NIC itself delivers frames for certain addresses by chosen receive queues (DPDK's rte_flow). Where it has none for an address, it spreads
/// frames over its queues as it does by default.
struct QueueRules {
    private let device: UInt16?
    private let driver: String
    /// The rules that the NIC has, each with the queue that it chooses.
    private var rules: [MACAddress: (queue: Int, rule: OpaquePointer)] = [:]
    /// What was asked for last.
    private var wanted: [MACAddress: Int] = [:]
    /// Why not every address has its rule, as a sentence; nil: each has.
    private(set) var refusal: String?

    /// After so many refusals, the NIC is not asked for the other addresses.
    private static let mostRefusals = 8

    /// - Parameters:
    ///   - device: DPDK's number of the NIC; nil: the port consists of several devices, and none of them can choose another's queue.
    ///   - driver: the name of its driver, for people.
    init(device: UInt16?, driver: String) {
        self.device = device
        self.driver = driver
    }

    /// The number of addresses that have the wanted rule.
    var count: Int { rules.reduce(0) { $0 + (wanted[$1.key] == $1.value.queue ? 1 : 0) } }

    /// Makes the NIC's rules what is wanted. What it refused is asked for again only when something else is wanted, as a rule that is taken back may make room.
    /// - Parameter wanted: for each address the queue that is to receive its frames.
    mutating func follow(_ wanted: [MACAddress: Int]) {
        if wanted == self.wanted { return }
        self.wanted = wanted
        refusal = nil
        guard let device else {
            if !wanted.isEmpty { refusal = unsupported }
            return
        }
        for (mac, rule) in rules where wanted[mac] != rule.queue {
            let result = sluice_flow_remove(device, rule.rule)
            if result == 0 {
                rules[mac] = nil
            } else {
                refusal = "the driver \(driver) does not take back the rule for \(mac): \(DataPlaneError.errorText(result))"
            }
        }
        var refusals = 0
        for (mac, queue) in wanted.sorted(by: { $0.key < $1.key }) where rules[mac] == nil {
            var code: CInt = 0
            var reason: UnsafePointer<CChar>?
            let octets = (0..<6).map { UInt8(truncatingIfNeeded: mac.value >> (40 - 8 * UInt64($0))) }
            if let rule = sluice_flow_steer(device, octets, UInt16(queue), &code, &reason) {
                rules[mac] = (queue, rule)
                continue
            }
            refusal = sentence(code, reason, mac)
            refusals += 1
            if code == ENOSYS || refusals == Self.mostRefusals { break }
        }
    }

    private var unsupported: String { "the driver \(driver) has no rules that choose a queue by address" }

    private func sentence(_ code: CInt, _ reason: UnsafePointer<CChar>?, _ mac: MACAddress) -> String {
        if code == ENOSYS { return unsupported }
        let text = DataPlaneError.errorText(-code)
        guard let reason = reason.map({ String(cString: $0) }), !reason.isEmpty else { return "the driver \(driver) refuses the rule for \(mac): \(text)" }
        return "the driver \(driver) refuses the rule for \(mac): \(reason) (\(text))"
    }
}
