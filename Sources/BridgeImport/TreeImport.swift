import Configuration
import Packet

/// One of the kernel's trees on its way into the classes of guests and groups.
struct TreeImport {
    let tree: TrafficTree
    let traffic: TrafficControl
    let device: String
    let direction: Direction
    /// The place of the only guest that the tree's frames are for; nil: filters tell guests apart.
    var only: Int?

    /// The classes of a guest as they are found, before they are put together.
    private struct Draft {
        /// The class that holds the guest's leaves, if the tree has one.
        var whole: ClassSettings?
        /// The leaf of all protocols that have no leaf of their own.
        var main: ClassSettings?
        var protocols: [String: ClassSettings] = [:]
        var group: String?
    }

    private var drafts: [Int: Draft] = [:]
    private var rest: RestSettings?
    private var hasEqualPriorities = true

    init(tree: TrafficTree, traffic: TrafficControl, device: String, direction: Direction, only: Int? = nil) {
        self.tree = tree
        self.traffic = traffic
        self.device = device
        self.direction = direction
        self.only = only
        hasEqualPriorities = Set(
            tree.nodes.lazy.filter(\.children.isEmpty).map { $0.item.htb?.priority ?? UInt32($0.item.id.minor) }).count < 2
    }

    private var path: WritableKeyPath<GuestSettings, ClassSettings> { direction == .outbound ? \.outbound : \.inbound }
    private var protocolPath: WritableKeyPath<ProtocolClasses, ClassSettings> { direction == .outbound ? \.outbound : \.inbound }
    private var groupPath: WritableKeyPath<GroupSettings, ClassSettings> { direction == .outbound ? \.outbound : \.inbound }

    /// What the tree as a whole may send in bit/s; nil: not known.
    private var rate: UInt64? { tree.base.flatMap { tree.nodes[$0].item.htb }.flatMap { Bits.rate(isLibvirts ? max($0.rate, $0.ceiling) : $0.rate) } }

    /// Whether this is a tree as libvirt makes it for a network with floors: 1:1 below the root, 1:2 for all without a floor, others from 1:3 on
    /// (virNetDevBandwidthSet and virNetDevBandwidthPlug in util/virnetdevbandwidth.c).
    private var isLibvirts: Bool {
        guard case .htb(let standard, _) = tree.root.kind, standard == 2, let base = tree.base, let rest = tree.standard else { return false }
        return tree.root.handle.major == 1 && tree.nodes[base].item.id.minor == 1 && tree.nodes[rest].item.id.minor == 2
            && tree.nodes.allSatisfy { $0.parent == nil || $0.parent == base }
    }

    func run(_ importer: inout Importer) {
        var copy = self
        copy.read(&importer)
    }

    private mutating func read(_ importer: inout Importer) {
        if tree.nodes.isEmpty, case .htb = tree.root.kind { return importer.decide(device, "HTB has no class there and shapes nothing", quote: "\(tree.root)") }
        if case .prio = tree.root.kind {
            importer.decide(
                device, "a band of prio becomes the priority of a class: floors go first, then bands by number share what is left", quote: "\(tree.root)")
        }
        for stray in tree.strays { importer.lose(device, "the filter leads to no class", quote: "\(stray.filter)") }
        setRate(&importer)
        if isLibvirts {
            importer.decide(
                device, "these are libvirt's classes: 1:1 is the rate of all, 1:2 what floors leave, the others are interfaces' floors",
                quote: "\(tree.nodes[tree.base!].item)")
        }
        for node in tree.base.map({ tree.nodes[$0].children }) ?? tree.tops { place(node, in: nil, &importer) }
        for (guest, draft) in drafts.sorted(by: { $0.key < $1.key }) { put(draft, on: guest, &importer) }
        setRest(&importer)
    }

    private func setRate(_ importer: inout Importer) {
        if only != nil {
            // The tree is that of one guest alone: what holds all its classes is the guest's ceiling.
            if let rate, let guest = only { importer.limitInbound(guest, to: rate) }
            return
        }
        guard tree.nodes.contains(where: { $0.item.htb != nil }) else { return }
        var found = rate
        if let base = tree.base, let htb = tree.nodes[base].item.htb {
            if htb.ceiling > htb.rate, !isLibvirts {
                importer.decide(
                    device, "the class above all others borrows from nobody: its rate, not its ceil, is what it may send", quote: "\(tree.nodes[base].item)")
            }
            if htb.mpu > 0 { importer.lose(device, "a least size that frames are charged with", quote: "mpu \(htb.mpu) on \(tree.nodes[base].item)") }
        }
        let sum = tree.tops.reduce(UInt64(0)) { $0 &+ (tree.nodes[$1].item.htb?.rate ?? 0) }
        if tree.base == nil {
            let speed = importer.bridge.ports.first { $0.name == device }?.speed.map { $0 * 1_000_000 }
            found = [speed, Bits.rate(sum)].compactMap { $0 }.max().map { min($0, Validator.rates.upperBound) }
            importer.decide(
                device,
                "no class holds all others, so nobody lends: their ceilings are their rates, and the rate of the tree is"
                    + " \(found.map(Quantity.rate.format) ?? "not known")",
                quote: tree.tops.prefix(4).map { "\(tree.nodes[$0].item)" }.joined(separator: "; "))
        }
        guard let found else { return importer.lose(device, "the rate of the tree is not known", quote: "\(tree.root)") }
        let overhead = Int(tree.nodes.first?.item.htb?.overhead ?? 0)
        if direction == .outbound, let index = importer.model.ports.firstIndex(where: { $0.name == importer.ports[device] }) {
            importer.model.ports[index].rate = found
            importer.model.ports[index].overhead = min(overhead, 256)
        } else if direction == .inbound {
            importer.settings.rate = found
            importer.settings.overhead = min(overhead, 256)
            importer.decide(
                device, "the kernel's tree holds for what the host sends or routes to guests; Sluice's for all traffic towards guests", quote: "\(tree.root)")
        }
    }

    // MARK: Classes

    private mutating func place(_ index: Int, in group: String?, _ importer: inout Importer) {
        let node = tree.nodes[index]
        guard !node.children.isEmpty else { return placeLeaf(index, in: group, &importer) }
        let leaves = tree.leaves(below: index)
        let guests = Set(leaves.flatMap { tree.nodes[$0].selectors + node.selectors }.compactMap { guest(of: $0, &importer, quietly: true) })
        if guests.count == 1, let guest = guests.first, only == nil {
            var draft = drafts[guest] ?? Draft()
            draft.whole = settings(of: index, &importer)
            draft.group = group
            drafts[guest] = draft
            for child in leaves { placeLeaf(child, in: group, &importer, within: guest) }
            return
        }
        if only != nil {
            importer.decide(device, "the class between is left out, as protocols stand right below their guest", quote: "\(node.item)")
            for child in leaves { placeLeaf(child, in: nil, &importer) }
            return
        }
        // Below a group there may still be a guest, its protocols and, above all, the root and `rest`.
        let depth = importer.depth(of: group)
        if depth >= Model.deepestTree - 4 {
            importer.lose(
                device, "classes are nested more deeply than Sluice keeps: this one is left out, what is in it stands in the one above", quote: "\(node.item)")
            for child in node.children { place(child, in: group, &importer) }
            return
        }
        let name = makeGroup(index, in: group, &importer)
        for child in node.children { place(child, in: name, &importer) }
    }

    private func makeGroup(_ index: Int, in parent: String?, _ importer: inout Importer) -> String {
        let node = tree.nodes[index], id = node.item.id
        let name = importer.unused("\(device)-\(String(id.major, radix: 16))-\(String(id.minor, radix: 16))")
        var made = GroupSettings(name: name, bridge: importer.settings.name)
        made.parent = parent
        made[keyPath: groupPath] = settings(of: index, &importer)
        importer.model.groups.append(made)
        importer.decide(device, "the class becomes the group \(name)", quote: "\(node.item)")
        return name
    }

    private mutating func placeLeaf(_ index: Int, in group: String?, _ importer: inout Importer, within: Int? = nil) {
        let node = tree.nodes[index], own = settings(of: index, &importer)
        let isStandard = index == tree.standard
        var guests: [Int] = [], protocols: [(guest: Int, name: String)] = []
        for selector in node.selectors {
            if let fault = selector.fault {
                importer.lose(device, fault, quote: "\(selector.filter)")
                continue
            }
            let found = within == nil ? guest(of: selector, &importer) : within
            guard let guest = found else { continue }
            if selector.isForFamilyOnly {
                importer.decide(
                    device,
                    "the filter knows \(TrafficWords.protocol(selector.filter.protocol)) only;"
                        + " the class of \(importer.model.guests[guest].name) takes all its frames",
                    quote: "\(selector.filter)")
            }
            if let match = selector.match {
                guard let name = importer.protocolName(match) else {
                    importer.lose(device, "there are too many protocols", quote: "\(selector.filter)")
                    continue
                }
                protocols.append((guest, name))
            } else if !guests.contains(guest) {
                guests.append(guest)
            }
        }
        if isStandard, guests.isEmpty, protocols.isEmpty { return placeStandard(index, own, in: group, within, &importer) }
        if node.selectors.isEmpty {
            if let within { drafts[within, default: Draft()].main = own } else { importer.lose(device, "no filter leads to the class", quote: "\(node.item)") }
            return
        }
        if guests.count > 1 {
            // A class that several share is a group; what it guarantees is guaranteed to them together.
            let name = makeGroup(index, in: group, &importer)
            for guest in guests where drafts[guest]?.main == nil {
                drafts[guest, default: Draft()].group = name
                drafts[guest]?.main = ClassSettings()
            }
        } else if let guest = guests.first {
            if drafts[guest]?.main != nil {
                importer.lose(device, "\(importer.model.guests[guest].name) has a class of the tree already", quote: "\(node.item)")
            } else {
                drafts[guest, default: Draft()].main = own
                drafts[guest]?.group = group
            }
        }
        for (position, item) in protocols.enumerated() {
            if drafts[item.guest]?.protocols[item.name] != nil { continue }
            var part = own
            if protocols.count > 1 || !guests.isEmpty {
                // One class for several: its floor cannot be shared by classes in Sluice, so it is the first one's.
                if position > 0 || !guests.isEmpty { part.floor = nil; part.burst = nil }
                importer.decide(
                    device, "the class is for several protocols or guests, which have classes of their own here; the floor is the first one's",
                    quote: "\(node.item)")
            }
            drafts[item.guest, default: Draft()].protocols[item.name] = part
            if drafts[item.guest]?.group == nil { drafts[item.guest]?.group = group }
        }
        if isStandard { importer.decide(device, "frames that no filter knows shared this class; here they are in `rest`", quote: "\(node.item)") }
    }

    private mutating func placeStandard(_ index: Int, _ own: ClassSettings, in group: String?, _ within: Int?, _ importer: inout Importer) {
        let node = tree.nodes[index]
        if let within { drafts[within, default: Draft()].main = own } else if let only { drafts[only, default: Draft()].main = own } else if group != nil {
            importer.lose(
                device, "the class of frames that no filter knows stands below another; here they are in `rest`, below the root", quote: "\(node.item)")
        } else {
            var settings = RestSettings()
            (settings.floor, settings.ceiling, settings.priority) = (own.floor, own.ceiling, own.priority)
            rest = settings
            importer.decide(device, "frames that no filter knows are in the class `rest`", quote: "\(node.item)")
        }
    }

    /// The guest that a selector is for; nil: there is none, which is told unless `quietly`.
    private func guest(of selector: Selector, _ importer: inout Importer, quietly: Bool = false) -> Int? {
        if let only { return only }
        if let mac = selector.mac {
            if let owner = importer.owners[mac] { return owner }
            if mac == importer.bridge.mac, let host = importer.ports[importer.bridge.name] {
                return quietly ? importer.model.guests.firstIndex { $0.port == host } : importer.guest(of: host)
            }
            if !quietly { importer.lose(device, "no port of the bridge has this address now", quote: "\(selector.filter)") }
            return nil
        }
        if selector.match != nil, let host = importer.ports[importer.bridge.name], !importer.bridge.host.isEmpty, direction == .outbound {
            if quietly { return importer.model.guests.firstIndex { $0.port == host } }
            importer.decide(
                device, "the class is for a protocol, whoever sends it: it becomes the host's; guests have classes of their own for it",
                quote: "\(selector.filter)")
            return importer.guest(of: host)
        }
        if !quietly, selector.fault == nil {
            importer.lose(
                device, selector.match == nil ? "a class for every frame of everybody" : "a class for a protocol, whoever sends it: give guests classes for it",
                quote: "\(selector.filter)")
        }
        return nil
    }

    /// A class's parameters as Sluice has them.
    private func settings(of index: Int, _ importer: inout Importer) -> ClassSettings {
        var result = ClassSettings()
        let item = tree.nodes[index].item, isTop = tree.base == nil && tree.tops.contains(index)
        guard let htb = item.htb else {
            // A band of prio: the first goes first.
            result.priority = min(max(Int(item.id.minor) - 1, 0), 7)
            return result
        }
        result.floor = Bits.rate(htb.rate)
        if result.floor == nil { importer.decide(device, "the rate is not one that Sluice counts, and no floor", quote: "\(item)") }
        let most = isTop ? htb.rate : max(htb.ceiling, htb.rate)
        result.ceiling = Bits.rate(most)
        if htb.ceiling < htb.rate { importer.decide(device, "the ceil is below the rate: the ceiling is the rate", quote: "\(item)") }
        if let rate, let ceiling = result.ceiling, ceiling >= rate, !isTop { result.ceiling = nil }
        if result.floor != nil { result.burst = Bits.burst(htb.burst) }
        if result.ceiling != nil { result.ceilingBurst = Bits.burst(htb.ceilingBurst) }
        if tree.nodes[index].children.isEmpty {
            if !hasEqualPriorities { result.priority = Int(min(htb.priority, 7)) }
            if case .htb(_, let r2q) = tree.root.kind, r2q > 0 {
                let standard = min(max(htb.rate / UInt64(r2q), 1_000), 200_000)
                if htb.quantum > 0, UInt64(htb.quantum) != standard { result.quantum = min(max(Int(htb.quantum), 64), 16_777_216) }
            }
            setQueue(below: item, &result)
        }
        return result
    }

    /// What the discipline below a leaf does.
    private func setQueue(below item: TrafficClass, _ result: inout ClassSettings) {
        guard let qdisc = traffic.qdiscs.first(where: { $0.parent == item.id }) else { return }
        switch qdisc.kind {
        case .fifo(let limit) where limit > 0: result.limit = min(Int(limit), 1_048_576)
        case .codel(let flows, let target, let interval, let limit):
            result.queue = flows ? .fqCodel : .codel
            // The kernel keeps times in units of 1.024 us and tells them a little too short.
            func rounded(_ time: UInt64) -> UInt64 { (time + 50) / 100 * 100 }
            if rounded(target) != 5_000 { result.codelTarget = min(max(rounded(target), 10), 10_000_000) }
            if result.codelTarget != nil || rounded(interval) != 100_000 { result.codelInterval = min(
                max(rounded(interval), result.codelTarget ?? 5_000), 10_000_000) }
            if limit > 0, !flows { result.limit = min(Int(limit), 1_048_576) }
        default:
            // libvirt puts sfq below each of its classes, whatever the operator thinks of it.
            if qdisc.name == "sfq", !isLibvirts { result.queue = .fqCodel }
        }
    }

    // MARK: Guests

    private func put(_ draft: Draft, on guest: Int, _ importer: inout Importer) {
        var settings = draft.whole ?? draft.main ?? ClassSettings()
        if !draft.protocols.isEmpty, draft.whole == nil {
            // The guest's class has to guarantee what its leaves do together.
            let floors = draft.protocols.values.reduce(settings.floor ?? 0) { $0 &+ ($1.floor ?? 0) }
            settings.floor = floors > 0 ? min(floors, Validator.rates.upperBound) : nil
            settings.burst = nil
            let ceilings = draft.protocols.values.map(\.ceiling) + (draft.main.map { [$0.ceiling] } ?? [nil])
            settings.ceiling = ceilings.contains(nil) ? nil : min(ceilings.reduce(UInt64(0)) { $0 &+ ($1 ?? 0) }, Validator.rates.upperBound)
            settings.ceilingBurst = nil
        }
        if let main = draft.main, draft.whole != nil {
            (settings.priority, settings.quantum, settings.queue, settings.limit) = (main.priority, main.quantum, main.queue, main.limit)
            (settings.codelTarget, settings.codelInterval) = (main.codelTarget, main.codelInterval)
        }
        let name = importer.model.guests[guest].name
        let isInboundOfUplink = direction == .inbound && importer.model.ports.contains { $0.name == importer.model.guests[guest].port && $0.isPhysical }
        if isInboundOfUplink { return importer.lose(device, "\(name) is behind a physical port, where inbound classes are those of the senders") }
        if importer.model.guests[guest][keyPath: path].floor != nil {
            return importer.lose(
                device, "\(name) has classes of another tree already, and has the same in the tree of every physical port", quote: "\(tree.root)")
        }
        var old = importer.model.guests[guest][keyPath: path]
        if old == ClassSettings() || only != nil {
            if only != nil, draft.whole == nil { settings.ceiling = old.ceiling ?? settings.ceiling }
            old = settings
        } else {
            // What a guest's own interface limits stays its limit.
            (old.floor, old.burst, old.priority, old.quantum) = (settings.floor, settings.burst, settings.priority, settings.quantum)
            if old.ceiling == nil { (old.ceiling, old.ceilingBurst) = (settings.ceiling, settings.ceilingBurst) }
        }
        if let floor = old.floor, let ceiling = old.ceiling, ceiling < floor {
            importer.decide(device, "\(name)'s floor exceeds what its own interface lets through: the ceiling is the floor")
            old.ceiling = floor
        }
        if let peak = old.peak, let most = old.ceiling ?? old.floor, peak < most { old.peak = nil }
        importer.model.guests[guest][keyPath: path] = old
        for (name, part) in draft.protocols {
            var classes = importer.model.guests[guest].protocols[name] ?? ProtocolClasses()
            classes[keyPath: protocolPath] = part
            importer.model.guests[guest].protocols[name] = classes
        }
        if let group = draft.group {
            if let other = importer.model.guests[guest].group, other != group {
                importer.lose(device, "\(name) is in the group \(other) already, in the other direction, and a guest is in one group")
            } else {
                importer.model.guests[guest].group = group
            }
        }
    }

    private func setRest(_ importer: inout Importer) {
        guard only == nil else { return }
        if tree.standard == nil, case .htb = tree.root.kind {
            importer.decide(device, "frames that no filter knows passed unshaped, before all others; here they are in `rest`", quote: "\(tree.root)")
        }
        guard var rest else { return }
        if isLibvirts { rest.floor = nil }
        if direction == .outbound, let index = importer.model.ports.firstIndex(where: { $0.name == importer.ports[device] }) {
            importer.model.ports[index].rest = rest
        } else if direction == .inbound {
            importer.settings.rest = rest
        }
    }
}
