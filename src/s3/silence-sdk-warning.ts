/** Silences the SDK's notice about coming Node versions, about which users can do nothing. */

/**
 * Call it before the first SDK client is made. The SDK (core/client/emitWarningIfUnsupportedVersion.js) offers only this
 * variable. Clients that the SDK makes itself, for SSO or STS credentials, read it too.
 */
export function silenceSdkWarning(): void {
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
}
