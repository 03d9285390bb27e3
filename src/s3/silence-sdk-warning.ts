/** Keeps the SDK's notice about coming Node versions from users, who can do nothing about it. */

/**
 * To be called before the first SDK client is made. The SDK (core/client/emitWarningIfUnsupportedVersion.js) offers
 * this variable and nothing else; clients it makes itself, for SSO or STS credentials, look there too.
 */
export function silenceSdkWarning(): void {
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
}
