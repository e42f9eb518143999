import Bridge
import Configuration
import LinkProtocols
import Packet
import Scheduler

/// What would happen to a frame.
extension DataPlane {
    /// The stages' decisions about one frame, under the names that users gave.
    public struct Account: Sendable {
        /// A filter that was asked: its name (nil: the port's own `addresses` or guards), and the rule that decided, as it is written.
        public struct Filtering: Sendable {
            public var filter: String?
            public var rule: String
        }

        /// A port that the frame would leave by.
        public struct Exit: Sendable {
            public var port: String
            public var guest: String?
            public var tree: String
            /// The id and path of the class that it would wait in; nil: it would not get that far.
            public var classID: UInt16?
            public var path: String?
            public var filtering: [Filtering] = []
            /// What would be done to its tag: `none`, `push`, `pop`, `rewrite`; and the tag that it would leave with then.
            public var action = "none"
            public var vlan: Int?
            public var pcp: Int?
            /// Why it would not leave after all, as in the counters; nil: it would.
            public var drop: String?
        }

        public var bridge = ""
        /// The VLAN that the frame is in; nil: its bridge has none.
        public var vlan: Int?
        /// The guest that it comes from.
        public var guest: String?
        /// The row of the protocol table that it belongs to; `default`: none.
        public var protocolName = "default"
        /// What FIP snooping makes of it, the address of Fibre Channel that it is about, and who has that then; nil: it has nothing to do with it.
        public var fip: (verdict: FIPVerdict, address: MACAddress?, grant: FIPGrantReport?)?
        public var filtering: [Filtering] = []
        /// Why it would not be forwarded to anybody, as in the counters; nil: it would.
        public var drop: String?
        /// Whether it goes to several ports because nobody knows its destination, or because it is for a group; and whether only ports that joined the group get it.
        public var isFlooded = false
        public var followsGroup = false
        public var exits: [Exit] = []
    }

    /// Tells what the stages would do with a frame that comes in by a port. Nothing is learned, counted or sent.
    /// - Throws: a sentence if the port is not open.
    public func account(of bytes: [UInt8], from name: String) throws(DataPlaneError) -> Account {
        guard let port = ports[name], let live = snapshots.first, live.pointee.ports[Int(port.index)].link != nil else {
            throw DataPlaneError(lost[name]?.reason ?? "port \(name) is not open, so no frame comes in by it")
        }
        let rehearsal = Rehearsal(live, bytes, from: port.index, now: runtime.now, clock: runtime.lcores.baseAddress!.pointee.clock)
        let portNames = Dictionary(uniqueKeysWithValues: ports.values.map { ($0.index, $0.settings.name) })
        let guestNames = Dictionary(guestIndices.map { ($1, $0) }) { first, _ in first }
        var account = Account()
        account.bridge = port.settings.bridge
        account.fip = rehearsal.fip.map { judgement, grant in
            (judgement.verdict, judgement.address == 0 ? nil : MACAddress(value: judgement.address), grant.flatMap { report($0, of: port.settings.bridge) })
        }
        account.filtering = rehearsal.entryRules.map { reason, rule in
            switch reason {
            case .filtered: filtering(port.settings.filter.outbound, rule)
            case .guarded: Account.Filtering(filter: nil, rule: "the port's guards")
            default: Account.Filtering(filter: nil, rule: "the port's addresses")
            }
        }
        account.drop = rehearsal.drop?.name
        let record = rehearsal.record
        if record.length == 0 { return account }
        let vlan = Int(PortVLANs.vlan(of: record.destination))
        account.vlan = vlan == 0 ? nil : vlan
        account.guest = guestNames[record.sourceGuest]
        account.protocolName = model.protocolTable.first { protocolNumbers[$0.name] == Int(record.protocolID) }?.name ?? "default"
        (account.isFlooded, account.followsGroup) = (record.output == flooded, rehearsal.followsGroup)
        account.exits = rehearsal.exits.map { exit in
            let settings = portNames[exit.output].flatMap { ports[$0] }
            let tree = settings.flatMap { trees[$0.treeName] }
            var told = Account.Exit(port: portNames[exit.output] ?? "?", guest: guestNames[exit.guest], tree: tree?.name ?? "?")
            if exit.leaf != 0 { (told.classID, told.path) = (exit.leaf, tree?.description.classes.first { $0.id == exit.leaf }?.path) }
            told.filtering = exit.rules.map { filtering(settings?.settings.filter.inbound, $0) }
            told.drop = exit.drop?.name
            if exit.tag.pops { told.action = "pop" }
            if exit.tag.pushes || exit.tag.pushesService || exit.tag.rewrites {
                told.action = exit.tag.rewrites ? "rewrite" : "push"
                (told.vlan, told.pcp) = (Int(exit.tag.tci & 0xfff), Int(exit.tag.tci >> 13))
            }
            return told
        }
        return account
    }

    private func filtering(_ name: String?, _ rule: Int) -> Account.Filtering {
        guard let name, let filter = model.filters.first(where: { $0.name == name }) else { return Account.Filtering(filter: name, rule: "rule \(rule)") }
        guard filter.rules.indices.contains(rule) else { return Account.Filtering(filter: name, rule: "\(filter.standard.rawValue) everything else") }
        return Account.Filtering(filter: name, rule: "\(filter.rules[rule].action.rawValue) \(filter.rules[rule].expression)")
    }
}
