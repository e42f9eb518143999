import Configuration
import Packet

extension Importer {
    mutating func importTraffic() {
        for port in bridge.ports {
            if isMoved(port), port.kind != "tun" {
                importTree(port.traffic, of: port.name, .outbound)
            } else if isMoved(port) || ports[bridge.name] != nil {
                importTree(port.traffic, of: port.name, .inbound)
            }
            importPolicing(port)
        }
        importTree(bridge.traffic, of: bridge.name, .inbound)
        importHostPolicing()
        compareLibvirt()
    }

    /// The place of the guest that is behind one of the kernel's ports; nil: there is none, or several.
    private mutating func guest(behind device: String) -> Int? {
        guard let port = bridge.ports.first(where: { $0.name == device }) else { return nil }
        if isMoved(port) { return ports[device].map { guest(of: $0) } }
        let macs = libvirt[device].map { [$0.mac] } ?? []
        let learned = bridge.entries.filter { $0.port == device && $0.state == .learned }.map(\.mac)
        return (macs + learned).compactMap { owners[$0] }.first
    }

    private mutating func importTree(_ traffic: TrafficControl, of device: String, _ direction: Direction) {
        for filter in traffic.filters where filter.parent == .clsactEgress { lose(device, "filters of clsact on the way out", quote: "\(filter)") }
        guard let root = traffic.root else { return }
        switch root.kind {
        case .htb, .prio:
            let tree = TrafficTree(root, traffic, direction)
            if device != bridge.name, direction == .inbound {
                importInbound(tree, traffic, of: device)
            } else {
                TreeImport(tree: tree, traffic: traffic, device: device, direction: direction).run(&self)
            }
        case .tbf(let rate, let burst, let peak, let limit): importTBF(rate, burst, peak, limit, root, device, direction)
        case .ets: lose(device, "Sluice has no ETS: floors and priorities of classes share a link", quote: "\(root)")
        case .codel:
            decide(device, "queues drop from their end here; `queue: fq-codel` or `codel` on a class does what the kernel did for all", quote: "\(root)")
        case .fifo, .ingress, .clsact: break
        case .other:
            // What the kernel gives any interface by itself shapes nothing.
            if !["noqueue", "mq", "pfifo_fast", "bfifo", "fq"].contains(root.name) { lose(device, "a discipline that Sluice does not have", quote: "\(root)") }
            if root.name == "mq", let inner = traffic.qdiscs.first(where: { if case .htb = $0.kind { true } else { false } }) {
                lose(device, "a tree of its own for each transmit queue", quote: "\(inner)")
            }
        }
    }

    private mutating func importTBF(
        _ rate: UInt64, _ burst: UInt64, _ peak: UInt64, _ limit: UInt64, _ root: QueueingDiscipline, _ device: String, _ direction: Direction) {
        guard let bits = Bits.rate(rate) else { return lose(device, "a rate that Sluice does not count", quote: "\(root)") }
        if direction == .outbound {
            guard let index = model.ports.firstIndex(where: { $0.name == ports[device] }) else { return }
            model.ports[index].rate = bits
            decide(device, "the rate of TBF is the port's; the burst of a port's rate is Sluice's own", quote: "\(root)")
            return
        }
        if device == bridge.name {
            settings.rate = bits
            return decide(device, "what TBF let the host send to its guests is the rate of all traffic towards guests", quote: "\(root)")
        }
        guard let index = guest(behind: device) else { return lose(device, "which guest this is for is not known", quote: "\(root)") }
        limitInbound(index, to: bits, Bits.burst(burst), peak: Bits.rate(peak))
        model.guests[index].inbound.limitBytes = min(max(Int(limit), 1_024), 1 << 40)
        decide(device, "TBF's rate is the guest's inbound ceiling, its burst the ceiling-burst, its limit limit-bytes", quote: "\(root)")
    }

    /// Gives a guest an inbound ceiling, which is never below what it is guaranteed.
    mutating func limitInbound(_ guest: Int, to rate: UInt64, _ burst: UInt64? = nil, peak: UInt64? = nil) {
        let ceiling = max(rate, model.guests[guest].inbound.floor ?? 0)
        model.guests[guest].inbound.ceiling = ceiling
        model.guests[guest].inbound.ceilingBurst = burst
        model.guests[guest].inbound.peak = peak.flatMap { $0 >= ceiling ? $0 : nil }
    }

    /// The tree of an interface behind which is one guest.
    private mutating func importInbound(_ tree: TrafficTree, _ traffic: TrafficControl, of device: String) {
        guard let index = guest(behind: device) else {
            if !tree.nodes.isEmpty {
                lose(
                    device, "which guest these classes are for is not known", quote: tree.nodes.map { "\($0.item)" }.prefix(4).joined(separator: "; "))
            }
            return
        }
        // libvirt's <inbound>: one class below nothing, which cannot borrow, so that its rate is a limit and its ceil how fast a burst may be.
        if tree.nodes.count == 1, let htb = tree.nodes[0].item.htb {
            guard let bits = Bits.rate(htb.rate) else { return lose(device, "a rate that Sluice does not count", quote: "\(tree.nodes[0].item)") }
            limitInbound(index, to: bits, Bits.burst(htb.burst), peak: htb.ceiling > htb.rate ? Bits.rate(htb.ceiling) : nil)
            return decide(
                device, "the only class there borrows from nobody: its rate is the guest's inbound ceiling, its ceil the peak", quote: "\(tree.nodes[0].item)")
        }
        TreeImport(tree: tree, traffic: traffic, device: device, direction: .inbound, only: index).run(&self)
    }

    /// What an interface may let in: libvirt's <outbound> is a policer on the tap.
    private mutating func importPolicing(_ port: KernelPort) {
        let filters = port.traffic.filters.filter { TrafficHandle.ingresses.contains($0.parent) }
        var isPaced = false
        for filter in filters {
            guard case .police(let police)? = filter.actions.first else {
                lose(port.name, "filters of what comes in", quote: "\(filter)")
                continue
            }
            let isForAll = filter.protocol == EtherTypes.all && filter.matches.isEmpty
            guard isForAll, police.drops, let rate = Bits.rate(police.rate), !isPaced else {
                lose(port.name, isForAll ? "a second policer, or one that does not drop" : "policers of some frames only", quote: "\(filter)")
                continue
            }
            isPaced = true
            guard isMoved(port), let index = model.ports.firstIndex(where: { $0.name == ports[port.name] }) else {
                decide(port.name, "the policer stays with the tap, in the kernel", quote: "\(filter)")
                continue
            }
            let peak = Bits.rate(police.peak).flatMap { $0 >= rate ? $0 : nil }
            model.ports[index].pace = PaceSettings(average: rate, peak: peak, burst: Bits.burst(police.burst))
            decide(port.name, "the policer becomes the port's pace, which reads more slowly instead of dropping", quote: "\(filter)")
        }
    }

    /// A policer of what comes to the host by the bridge: libvirt's <outbound> of a network.
    private mutating func importHostPolicing() {
        for filter in bridge.traffic.filters where TrafficHandle.ingresses.contains(filter.parent) {
            guard case .police(let police)? = filter.actions.first, filter.matches.isEmpty, let rate = Bits.rate(police.rate),
                let host = ports[bridge.name]
            else {
                lose(bridge.name, "filters of what comes to the host", quote: "\(filter)")
                continue
            }
            let index = guest(of: host)
            limitInbound(index, to: rate, Bits.burst(police.burst))
            decide(bridge.name, "the policer of what guests send to the host is a ceiling of what goes to the host", quote: "\(filter)")
        }
    }

    // MARK: libvirt's own words

    /// Says of each tap whether tc does what libvirt's <bandwidth> asks for.
    private mutating func compareLibvirt() {
        for port in bridge.ports {
            guard let tap = libvirt[port.name] else { continue }
            if let inbound = tap.inbound {
                if let floor = inbound.floor, floor > 0 {
                    let class_ = bridge.traffic.classes.first { $0.htb?.rate == floor &* 1_000 && $0.id.minor > 2 }
                    if let class_ {
                        decide(port.name, "libvirt's <inbound floor='\(floor)'/> is the class of the bridge's tree", quote: "\(class_)")
                    } else if let index = guest(behind: port.name), let bits = Bits.rate(floor &* 1_000) {
                        model.guests[index].inbound.floor = bits
                        let inbound = model.guests[index].inbound
                        if let ceiling = inbound.ceiling { limitInbound(index, to: ceiling, inbound.ceilingBurst, peak: inbound.peak) }
                        decide(
                            port.name,
                            "libvirt's <inbound floor='\(floor)'/> has no class in \(bridge.name)'s tree, and becomes the guest's floor all the same")
                    }
                }
                if let average = inbound.average, average > 0 { compare(port, inbound, "inbound", port.traffic.classes.first?.htb?.rate) }
            }
            if let outbound = tap.outbound, outbound.average ?? 0 > 0 {
                let rates = port.traffic.filters.compactMap { filter -> UInt64? in
                    if case .police(let police)? = filter.actions.first { police.rate } else { nil }
                }
                let rate = rates.first
                compare(port, outbound, "outbound", rate)
                if rate != nil, let peak = outbound.peak, peak >= outbound.average ?? 0, isMoved(port),
                    let index = model.ports.firstIndex(where: { $0.name == ports[port.name] }),
                    model.ports[index].pace != nil, let bits = Bits.rate(peak &* 1_000), bits >= model.ports[index].pace?.average ?? 0
                {
                    model.ports[index].pace?.peak = bits
                    decide(port.name, "libvirt does not enforce <outbound peak='\(peak)'/>; the pace does")
                }
            }
        }
    }

    private mutating func compare(_ port: KernelPort, _ limits: LibvirtTap.Limits, _ direction: String, _ rate: UInt64?) {
        let words = "<\(direction) average='\(limits.average ?? 0)'\(limits.peak.map { " peak='\($0)'" } ?? "")\(limits.burst.map { " burst='\($0)'" } ?? "")/>"
        guard let rate else { return lose(port.name, "libvirt's \(words) is not in force, as tc shows nothing of it: write it where it is wanted") }
        if rate == (limits.average ?? 0) &* 1_000 {
            decide(port.name, "libvirt's \(words) and tc are the same")
        } else {
            decide(port.name, "libvirt says \(words), tc \(TrafficWords.rate(rate)): what runs was taken")
        }
    }
}

/// The kernel's bytes and bytes a second as Sluice's quantities.
enum Bits {
    /// In bit/s; nil: slower or faster than Sluice counts.
    static func rate(_ bytes: UInt64) -> UInt64? {
        let (bits, overflow) = bytes.multipliedReportingOverflow(by: 8)
        return !overflow && Validator.rates.contains(bits) ? bits : nil
    }

    /// A burst; nil: it is tc's own default, which is an MTU and what the rate amounts to in a tick of its clock.
    static func burst(_ sizes: ClosedRange<UInt64>) -> UInt64? {
        sizes.overlaps(1_600...1_650) ? nil : burst(TrafficWords.roundest(sizes))
    }

    static func burst(_ bytes: UInt64) -> UInt64? { bytes == 0 ? nil : min(bytes, Validator.largestBurst) }
}
