// DCB settings of the messages of rtnetlink(7): struct dcbmsg and attributes (linux/dcbnl.h).

extension KernelDCB {
    /// - Parameter message: the payload of the answer to DCB_CMD_IEEE_GET.
    /// - Returns: nil if the interface has no DCB.
    public init?(_ message: [UInt8]) {
        guard let values = NetlinkReader(message, skipping: 4)?.attributes[13 /* DCB_ATTR_IEEE */]?.attributes else { return nil }
        for (type, value) in values[3 /* DCB_ATTR_IEEE_APP_TABLE */]?.list ?? [] where type == 1 /* DCB_ATTR_IEEE_APP */ {
            // struct dcb_app
            guard let selector = value.u8(0), let priority = value.u8(1), let id = value.u16(2), priority < 8 else { continue }
            applications.append(Application(selector: selector, id: id, priority: priority))
        }
        if let enabled = values[2 /* DCB_ATTR_IEEE_PFC, struct ieee_pfc */]?.u8(1) { pfc = (0..<8).filter { enabled >> UInt8($0) & 1 != 0 } }
        if let ets = values[1 /* DCB_ATTR_IEEE_ETS, struct ieee_ets */] {
            func eight(from offset: Int) -> [UInt8] { (0..<8).map { ets.u8(offset + $0) ?? 0 } }
            let bandwidths = eight(from: 3), algorithms = eight(from: 19), classes = eight(from: 27)
            if algorithms.contains(where: { $0 != 0 }) || classes.contains(where: { $0 != 0 }) {
                func row(_ name: String, _ values: [String]) -> String { "\(name) \(values.enumerated().map { "\($0):\($1)" }.joined(separator: " "))" }
                self.ets = [
                    row(
                        "tc-tsa",
                        algorithms.map { $0 == 0 ? "strict" : $0 == 1 ? "cbs" : $0 == 2 ? "ets" : "vendor" }), row("tc-bw", bandwidths.map(String.init)),
                    row("prio-tc", classes.map(String.init)),
                ].joined(separator: " ")
            }
        }
    }
}
