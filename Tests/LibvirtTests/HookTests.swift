import Configuration
import Libvirt
import Testing

@Suite struct HookTests {
    private func hook(_ words: String) throws -> LibvirtHook { try LibvirtHook(arguments: words.split(separator: " ").map(String.init)) }

    @Test(arguments: [
        ("vm1 prepare begin -", LibvirtHook.Action.put, true), ("vm1 start begin -", .put, true), ("vm1 started begin -", .nothing, false),
        ("vm1 stopped end -", .remove, false),
        ("vm1 release end -", .remove, false), ("vm1 release end migrated", .remove, false), ("vm1 migrate begin -", .check, true),
        ("vm1 restore begin -", .check, true),
        // libvirt kills the running domain if the hook fails at these operations.
        ("vm1 reconnect begin -", .put, false), ("vm1 attach begin -", .put, false), ("vm1 something begin -", .nothing, false),
    ])
    func everyCallHasItsAction(_ words: String, _ action: LibvirtHook.Action, _ mayRefuse: Bool) throws {
        let hook = try hook(words)
        #expect(hook.domain == "vm1" && hook.action == action && hook.mayRefuse == mayRefuse)
    }

    @Test(arguments: ["", "vm1", "vm1 prepare begin", "vm1 prepare begin - -", "- start - start"]) func whatLibvirtDoesNotCallIsRefused(_ words: String) {
        #expect(throws: ConfigurationError.self) { try hook(words) }
    }

    @Test func theCallIsAboutTheDomainOfTheXML() throws {
        let domain = try LibvirtDomain(xml: domainXML(""))
        #expect(try hook("vm1 start begin -").concerns(domain) && !hook("vm2 start begin -").concerns(domain))
    }
}
