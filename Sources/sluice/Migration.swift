import BridgeImport
import Configuration
import ControlAPI
import Foundation
import Netlink

/// How a kernel bridge's ways to the wire are handed to Sluice, and how they are taken back. The bridge itself stays, behind a tap of Sluice's, so that
/// the host keeps its addresses and routes and guests keep their taps. Every step may be done again.
struct Migration: Codable {
    /// An interface that leads to the wire, and what it was as a port of the bridge.
    struct Uplink: Codable {
        var name: String
        /// Attributes of the port that can be set again (IFLA_BRPORT_*), and its VLANs.
        var settings: [UInt8]
        var vlans: [VLAN]
        /// Whether it receives frames for all addresses, beside what the bridge has it do.
        var isPromiscuous: Bool
        /// Static entries, as addresses and VLANs.
        var entries: [Entry]
    }

    struct VLAN: Codable {
        var id: Int, isPVID: Bool, isUntagged: Bool
    }

    struct Entry: Codable {
        var mac: UInt64, vlan: Int?
    }

    var bridge: String
    /// Whether the bridge filters VLANs.
    var hasVLANs: Bool
    var uplinks: [Uplink]
    /// The tap of Sluice's that takes the uplinks' place.
    var tap: String
    /// The daemon's socket, and the configuration that it ran before.
    var socket: String
    var before: String
    /// Seconds that it may take to confirm.
    var seconds: Int
    /// The process that undoes it.
    var watcher: Int32?

    // MARK: Handing over

    /// Puts the tap in the uplinks' place. From the first request to the last, the host is without network: some ten microseconds for each.
    func handOver() throws {
        let links = try LinkSocket()
        let bridgeLink = try links.link(named: bridge)
        // A bridge takes the least of its ports' addresses, unless one was set: so it keeps the one that it has.
        if let mac = bridgeLink.mac { try links.setMAC(bridge, mac) }
        for uplink in uplinks {
            if try links.link(named: uplink.name).controller == bridgeLink.index { try links.setController(uplink.name, to: nil) }
        }
        if try links.link(named: tap).controller != bridgeLink.index { try links.setController(tap, to: bridge) }
        if let first = uplinks.first, hasVLANs { try setVLANs(first.vlans, of: tap) }
    }

    /// Puts the uplinks back in the tap's place, as they were.
    func takeBack() throws {
        let links = try LinkSocket()
        let index = try links.link(named: bridge).index
        if let link = try? links.link(named: tap), link.controller == index { try links.setController(tap, to: nil) }
        for uplink in uplinks {
            guard let link = try? links.link(named: uplink.name) else { continue }
            if link.controller != index { try links.setController(uplink.name, to: bridge) }
            let change = LinkChange(up: link.isUp ? nil : true, promiscuous: link.isPromiscuous == uplink.isPromiscuous ? nil : uplink.isPromiscuous)
            try links.change(uplink.name, change)
            try restore(uplink)
        }
    }

    private func restore(_ uplink: Uplink) throws {
        let index = try LinkSocket().link(named: uplink.name).index, routes = try RouteSocket()
        if !uplink.settings.isEmpty {
            // IFLA_PROTINFO holds a port's settings.
            let request = KernelRequest.link(family: 7, index: index) + KernelRequest.attribute(12 | 0x8000, uplink.settings)
            try routes.change(19 /* RTM_SETLINK */, 0, request, doing: "set \(uplink.name)'s settings as a port")
        }
        try setVLANs(uplink.vlans, of: uplink.name)
        for entry in uplink.entries {
            try routes.change(
                28 /* RTM_NEWNEIGH */, 0x400 | 0x100 /* NLM_F_CREATE | NLM_F_REPLACE */, KernelRequest.entry(entry.mac, entry.vlan, on: index),
                doing: "set a static entry on \(uplink.name)")
        }
    }

    /// Gives a port exactly these VLANs.
    private func setVLANs(_ vlans: [VLAN], of name: String) throws {
        let index = try LinkSocket().link(named: name).index, routes = try RouteSocket()
        let present = try routes.dump(
            18, KernelRequest.link(family: 7, mask: 4), doing: "list VLANs").compactMap { KernelVLANs($0) }.first { $0.index == index }?.vlans ?? []
        func request(_ vlan: VLAN) -> [UInt8] {
            // struct bridge_vlan_info: flags and number.
            let flags = UInt16((vlan.isPVID ? 2 : 0) | (vlan.isUntagged ? 4 : 0))
            return KernelRequest.link(family: 7, index: index)
                + KernelRequest.attribute(26 | 0x8000 /* IFLA_AF_SPEC */, KernelRequest.attribute(2, KernelRequest.bytes(flags, UInt16(clamping: vlan.id))))
        }
        for vlan in present where !vlans.contains(where: { $0.id == vlan.id }) {
            try routes.change(
                17 /* RTM_DELLINK */, 0, request(VLAN(id: vlan.id, isPVID: false, isUntagged: false)), doing: "take \(name) out of VLAN \(vlan.id)")
        }
        for vlan in vlans { try routes.change(19, 0, request(vlan), doing: "put \(name) in VLAN \(vlan.id)") }
    }

    /// Gives the daemon back what it ran before. One that has just ended, and is started again, would take the uplinks once more: so it is waited for.
    func restoreDaemon() throws {
        let client = Client(path: socket), deadline = ContinuousClock.now + .seconds(30)
        while true {
            do {
                // Where nothing ran before, what is there now has to go: a file that says nothing would be refused as a mistake.
                _ = try client.call(Methods.configApply, ApplyParams(yaml: before))
                return
            } catch {
                let answers = (try? client.call(Methods.configGet, NoParams())) != nil
                if answers || ContinuousClock.now >= deadline { throw error }
                usleep(100_000)
            }
        }
    }

    /// Undoes everything, first what the network hangs on, and says what could not be undone.
    func undo() -> [String] {
        var faults: [String] = []
        do { try takeBack() } catch { faults.append("\(error)") }
        do { try restoreDaemon() } catch { faults.append("\(error)") }
        // A daemon that dies while its ports are closed may leave an uplink down.
        do { try takeBack() } catch { faults.append("\(error)") }
        return faults
    }
}

/// The file of a migration that is not confirmed yet. Whoever renames it decides: who confirms, or the process that undoes it when the time is over.
struct MigrationFile {
    let path: String

    /// The file is beside the daemon's socket.
    init(socket: String?) { path = ((socket ?? Client.standardPath) as NSString).deletingLastPathComponent + "/migration.json" }

    var outcome: String { path + ".outcome" }

    func read() -> Migration? { (try? Data(contentsOf: URL(fileURLWithPath: path))).flatMap { try? JSONDecoder().decode(Migration.self, from: $0) } }

    func write(_ migration: Migration) throws {
        let text = String(decoding: try JSONEncoder().encode(migration), as: UTF8.self)
        try ImportSource.write(text, to: path)
    }

    /// Takes the decision. False: somebody else has taken it.
    func take() -> Bool {
        let taken = "\(path).\(getpid())"
        guard rename(path, taken) == 0 else { return false }
        unlink(taken)
        return true
    }

    func say(_ sentence: String) { try? ImportSource.write(sentence + "\n", to: outcome) }
}
