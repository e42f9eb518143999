import Configuration
import Libvirt
import Packet
import TestSupport
import Testing

@Suite struct ChangeTests {
    private static func first(_ inner: String = "") -> String { interfaceXML("52:54:00:00:00:01", "/run/1.sock", inner) }
    private static func second(_ inner: String = "") -> String { interfaceXML("52:54:00:00:00:02", "/run/2.sock", mode: "client", inner) }
    private static func floor(_ rate: String, _ more: String = "") -> String { sluice("<interface><inbound floor='\(rate)'/>\(more)</interface>") }

    /// A domain goes through a whole life: start, hot-plug, new limits, new metadata, hot-unplug, stop.
    @Test func everyChangeIsOnePlan() throws {
        var running = Running(try host())
        var had: LibvirtConfiguration?
        func become(_ xml: String?) throws -> [String] {
            let next = try xml.map { try configuration($0, in: running.model) }
            let commands = running.model.commands(replacing: had?.part ?? next?.part ?? Model(), with: next?.part ?? Model())
            let model = try running.model.replacing(had, with: next)
            #expect(try running.model.edited(commands) == model)
            let change = try running.changed(to: model)
            let lines = change.plan.lines(from: running.model, to: model)
            running.adopt(change)
            had = next
            return lines
        }
        func id(_ path: String) -> UInt16? { running.ids.id(tree: "br0", path: path) }
        let start = try become(domainXML(Self.first(), metadata: Self.floor("1gbit", "<protocol name='iscsi'><inbound floor='200mbit'/></protocol>")))
        #expect(
            start == [
                "+ port vm1-000001 type vhost bridge br0 socket /run/1.sock",
                "+ guest vm1-000001 port vm1-000001 macs 52:54:00:00:00:01 inbound {floor 1gbit} protocols {iscsi {inbound {floor 200mbit}}}",
            ])
        let ids = (id("vm1-000001"), id("vm1-000001/iscsi"))
        #expect(ids.0 != nil && ids.1 != nil)
        // The same XML again changes nothing. libvirt calls its hook twice before a start, and once more after it was restarted itself.
        #expect(try become(domainXML(Self.first(), metadata: Self.floor("1gbit", "<protocol name='iscsi'><inbound floor='200mbit'/></protocol>"))) == [])
        had = nil
        #expect(try become(domainXML(Self.first(), metadata: Self.floor("1gbit", "<protocol name='iscsi'><inbound floor='200mbit'/></protocol>"))) == [])
        // A second interface is plugged in, and the first keeps everything.
        let plugged = try become(
            domainXML(Self.first() + Self.second(), metadata: Self.floor("1gbit", "<protocol name='iscsi'><inbound floor='200mbit'/></protocol>")))
        #expect(plugged.count == 2 && plugged.allSatisfy { $0.hasPrefix("+ ") && $0.contains("vm1-000002") })
        #expect(plugged[0] == "+ port vm1-000002 type vhost bridge br0 socket /run/2.sock mode server")
        // New limits and another floor are set in place.
        let limits = "<bandwidth><outbound average='1000' peak='2000' burst='64'/></bandwidth>"
        #expect(
            try become(
                domainXML(Self.first(limits) + Self.second(), metadata: Self.floor("2gbit", "<protocol name='iscsi'><inbound floor='100mbit'/></protocol>")))
                == [
                    "~ port vm1-000001 pace default -> {average 8mbit peak 16mbit burst 64kib}",
                    "~ guest vm1-000001 inbound {floor 1gbit} -> {floor 2gbit}, protocols {iscsi {inbound {floor 200mbit}}} -> {iscsi {inbound {floor 100mbit}}}",
                    "~ guest vm1-000002 inbound {floor 1gbit} -> {floor 2gbit}, protocols {iscsi {inbound {floor 200mbit}}} -> {iscsi {inbound {floor 100mbit}}}",
                ])
        #expect(id("vm1-000001") == ids.0 && id("vm1-000001/iscsi") == ids.1)
        // A change that is refused changes nothing.
        let before = running.model
        #expect(throws: ConfigurationError.self) { try become(domainXML(Self.first(limits) + Self.second(), metadata: Self.floor("6gbit"))) }
        #expect(running.model == before && id("vm1-000001") == ids.0)
        // The first interface is unplugged, and the second stays.
        let other = id("vm1-000002")
        #expect(
            try become(domainXML(Self.second(), metadata: Self.floor("2gbit", "<protocol name='iscsi'><inbound floor='100mbit'/></protocol>"))) == [
                "- guest vm1-000001", "- port vm1-000001",
            ])
        #expect(id("vm1-000002") == other)
        #expect(try become(nil) == ["- guest vm1-000002", "- port vm1-000002"])
        #expect(running.model == (try host()))
        #expect(try become(nil) == [])
    }

    @Test func aDomainMovesToAnotherHostUnderItsNames() throws {
        let xml = domainXML(Self.first("<target dev='vnet7'/><alias name='net0'/>") + Self.second(), metadata: Self.floor("1gbit"))
        let here = try configuration(xml), there = try configuration(xml.replacing("vnet7", with: "vnet1").replacing("net0", with: "net5"))
        #expect(here.part == there.part)
    }

    @Test func theOperatorsOwnPortsAreNotTakenOver() throws {
        let model = try host().edited("port", "add", ["mine", "type", "vhost", "bridge", "br0", "socket", "/run/1.sock"])
        do {
            _ = try model.replacing(nil, with: try configuration(domainXML(Self.first())))
            Issue.record("accepted")
        } catch let error as ConfigurationError {
            #expect(error.description == "port vm1-000001 socket: the socket /run/1.sock is port mine's already: write another path")
        }
        // If it is known what the domain had, an operator's port of the same name is not replaced either.
        let named = domainXML(Self.first("<target dev='mine'/>"))
        let nothing = try configuration(domainXML(""))
        #expect(throws: ConfigurationError.self) { try model.replacing(nothing, with: try configuration(named)) }
        // Objects of the domain that are not in the model any more are ignored.
        #expect(try model.replacing(try configuration(domainXML(Self.second())), with: nil) == model)
    }

    @Test func aFileSaysTheSame() throws {
        let result = try configuration(
            domainXML(
                Self.first(
                    "<driver queues='2'/><vlan trunk='yes'><tag id='10'/><tag id='20' nativeMode='untagged'/></vlan><bandwidth><inbound average='1000' burst='3'/><outbound average='70'/></bandwidth>"
                )
                    + Self.second(), metadata: Self.floor("1mbit", "<protocol name='iscsi'/><filter outbound='f'/>")))
        #expect(try Model(yaml: result.part.yaml) == result.part)
    }

    /// Whatever a domain becomes, the commands for it lead to the same model as replacing it as a whole, and there is a plan that leads there.
    @Test func commandsAndTheWholeAgree() throws {
        for seed in 1...60 as ClosedRange<UInt64> {
            var random = Seeded(seed)
            let base = try host("filters: [{name: f, rules: [{deny: tcp dst port 25}]}]")
            var running = Running(base), had: LibvirtConfiguration?
            for _ in 0..<8 {
                let next = Int.random(in: 0...5, using: &random) == 0 ? nil : try configuration(Self.random(&random), in: running.model)
                let old = had?.part ?? next?.part ?? Model(), new = next?.part ?? Model()
                let whole = try running.model.replacing(had, with: next), commands = running.model.commands(replacing: old, with: new)
                let edited = try running.model.edited(commands)
                #expect(edited.ports.sorted { $0.name < $1.name } == whole.ports.sorted { $0.name < $1.name }, "seed \(seed)")
                #expect(edited.guests.sorted { $0.name < $1.name } == whole.guests.sorted { $0.name < $1.name }, "seed \(seed): \(commands)")
                // The commands lead there one by one, too.
                var stepped = running.model
                for command in commands { stepped = try stepped.edited(command.object.rawValue, command.verb.rawValue, command.words) }
                #expect(stepped == edited, "seed \(seed)")
                running.adopt(try running.changed(to: whole))
                had = next
            }
        }
    }

    private static func random(_ random: inout Seeded) -> String {
        func maybe(_ text: @autoclosure () -> String) -> String { Bool.random(using: &random) ? text() : "" }
        func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
        var interfaces = "", policies = ""
        for place in 1...4 where Bool.random(using: &random) {
            let limits =
                maybe("<inbound average='\(number(300_000...900_000))' \(maybe("burst='\(number(1...900))'"))/>")
                + maybe("<outbound average='\(number(1...99_999))' \(maybe("peak='\(number(100_000...200_000))'")) \(maybe("burst='\(number(1...900))'"))/>")
            let vlan = [
                "", "<vlan><tag id='\(number(1...9))'/></vlan>",
                "<vlan trunk='yes'><tag id='\(number(1...9))'/><tag id='\(number(10...19))' \(maybe("nativeMode='untagged'"))/></vlan>",
            ].randomElement(using: &random)!
            interfaces += interfaceXML(
                "52:54:00:00:00:0\(place)", "/run/\(place).sock", mode: Bool.random(using: &random) ? "server" : "client",
                "<bandwidth>\(limits)</bandwidth>\(vlan)\(maybe("<driver queues='\(number(1...4))'/>"))\(maybe("<mtu size='\(number(1_280...9_000))'/>"))")
            let classes = ["iscsi", "backup", "fcoe"].map { name in
                maybe(
                    "<protocol name='\(name)'>\(maybe("<inbound floor='\(number(1...30))mbit' priority='\(number(0...7))'/>"))\(maybe("<outbound ceiling='\(number(1...9))gbit'/>"))</protocol>"
                )
            }
            policies +=
                "<interface mac='52:54:00:00:00:0\(place)' \(maybe("group='tenant-a'")) \(maybe("isolated='on'")) \(maybe("addresses='10.0.0.\(place),10.1.0.0/16'"))>"
                + "<inbound floor='\(number(100...400))mbit' \(maybe("ceiling='\(number(1...9))gbit'")) \(maybe("queue='codel' codel-target='2ms'"))/>"
                + maybe("<outbound floor='\(number(1...100))mbit'/>") + classes.joined() + maybe("<filter inbound='f'/>") + "</interface>"
        }
        return domainXML(interfaces, metadata: sluice(policies))
    }
}
