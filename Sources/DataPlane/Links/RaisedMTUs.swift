import Netlink
import Synchronization

/// The MTUs of kernel interfaces that ports raised: each interface gets its own one back when its ports need no more, unless somebody else has changed it.
let raisedMTUs = RaisedMTUs()

final class RaisedMTUs: Sendable {
    private struct Interface {
        /// Its own MTU, and what it has been given.
        var own: Int, given: Int
        /// What each user needs.
        var needs: [UInt64: Int] = [:]
        var record: MTURecord?
    }
    private let interfaces = Mutex<[Int: Interface]>([:])
    private let users = Atomic<UInt64>(0)

    /// - Returns: a number for who is going to need an MTU.
    func newUser() -> UInt64 { users.add(1, ordering: .relaxed).newValue }

    /// Gives an interface an MTU of at least `mtu`, and its own one back where that is enough.
    /// - Parameter index: the interface's; it may have been renamed.
    func carry(_ mtu: Int, for user: UInt64, on index: Int, _ links: LinkSocket) throws(NetlinkError) {
        var interface: Interface
        if let known = interfaces.withLock({ $0[index] }), known.given != known.own {
            interface = known
        } else {
            // Nothing holds it, so it may have been changed.
            let now = try links.link(index: index).mtu
            interface = Interface(own: now, given: now, needs: interfaces.withLock { $0[index]?.needs } ?? [:])
        }
        interface.needs[user] = mtu
        let wanted = max(interface.own, interface.needs.values.max() ?? 0)
        if wanted != interface.given {
            if wanted != interface.own {
                // Before it is done: a daemon may be killed at any time.
                interface.record = interface.record ?? MTURecord(index)
                interface.record?.note(own: interface.own, given: wanted)
            }
            do {
                try links.setMTU(links.link(index: index).name, wanted)
            } catch {
                if interface.given == interface.own { interface.record?.remove() }
                throw error
            }
            interface.given = wanted
        }
        keep(interface, index)
    }

    /// This user needs nothing any more.
    func release(_ user: UInt64, on index: Int, _ links: LinkSocket) {
        guard var interface = interfaces.withLock({ $0[index] }), interface.needs.removeValue(forKey: user) != nil else { return }
        let wanted = max(interface.own, interface.needs.values.max() ?? 0)
        if wanted != interface.given {
            if let link = try? links.link(index: index), link.mtu == interface.given {
                if wanted != interface.own { interface.record?.note(own: interface.own, given: wanted) }
                try? links.setMTU(link.name, wanted)
            }
            interface.given = wanted
        }
        keep(interface, index)
    }

    private func keep(_ interface: Interface, _ index: Int) {
        var interface = interface
        if interface.given == interface.own {
            interface.record?.remove()
            interface.record = nil
        }
        let kept = interface.needs.isEmpty ? nil : interface
        interfaces.withLock { $0[index] = kept }
    }
}
