import Packet

/// Floors come before the shares of traffic classes (ETS), so floors of a class that exceed its percentage take from others what they were promised. A tree is
/// refused where that is so, unless the port says that it may be.
extension Validator {
    mutating func checkTrafficClasses(_ tree: TreeDescription) {
        guard case .outbound(let name) = tree.kind, let index = model.ports.firstIndex(where: { $0.name == name }), let rate = tree.rate else { return }
        let port = model.ports[index]
        guard port.dcb, let ets = port.dcbInUse.ets, !ets.exceedingFloors else { return }
        let floors = Dictionary(grouping: tree.classes.filter { $0.isLeaf && $0.settings.floor > 0 }) { leaf in
            ets.sharing.trafficClass(of: port.priority(of: leaf.protocolName, model.protocolTable))
        }
        for (number, leaves) in floors.sorted(by: { $0.key < $1.key }) where ets.sharing.isWeighted(number) {
            let total = leaves.reduce(UInt64(0)) { $0.addingSaturating($1.settings.floor) }
            let percent = ets.sharing.bandwidths.count > number ? ets.sharing.bandwidths[number] : 0
            // The quotient's remainder is less than a bit per second.
            let share = rate / 100 * UInt64(percent) + rate % 100 * UInt64(percent) / 100
            guard total > share else { continue }
            let shown = leaves.prefix(4).map { "\($0.path) (\(Quantity.rate.format($0.settings.floor)))" }
            let said = shown.joined(separator: ", ") + (leaves.count > shown.count ? " and \(leaves.count - shown.count) more" : "")
            add(
                "ports[\(index)].dcb.ets.tc-bw",
                "the floors in traffic class \(number) of \(name), \(said), \(leaves.count == 1 ? "are" : "sum to") \(Quantity.rate.format(total)),"
                    + " \(Quantity.rate.format(total - share)) more than its tc-bw of \(percent) percent of the rate \(Quantity.rate.format(rate)),"
                    + " which is \(Quantity.rate.format(share)): lower them, raise its tc-bw, or write exceeding-floors: on, with which they take from other"
                    + " classes")
        }
    }
}

extension ETSSharing {
    /// The traffic class of a priority.
    func trafficClass(of priority: Int) -> Int { priority < classes.count ? classes[priority] : 0 }

    func isWeighted(_ trafficClass: Int) -> Bool { trafficClass < algorithms.count && algorithms[trafficClass] == .ets }
}

extension PortSettings {
    /// The priority with which frames of a protocol leave the port, as it is written; nil as the protocol's name: all others.
    func priority(of name: String?, _ table: [ProtocolSettings]) -> Int {
        guard let name, let row = table.first(where: { $0.name == name }) else { return dcbInUse.app?.standard ?? 0 }
        return dcbInUse.app?.priority(of: row.matches) ?? row.pcp
    }
}
